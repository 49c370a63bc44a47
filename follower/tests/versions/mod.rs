//! Frozen bytes of every version. If one of these fails, the code is wrong and not the test.

mod v01;
mod v02;

fn bytes(hexadecimal: &str) -> Vec<u8> {
    (0..hexadecimal.len() / 2)
        .map(|at| u8::from_str_radix(&hexadecimal[at * 2..at * 2 + 2], 16).expect("hexadecimal"))
        .collect()
}
