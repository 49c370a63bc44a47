//! Frozen bytes of every version. If one of these fails, the code is wrong and not the test.

mod v01;
