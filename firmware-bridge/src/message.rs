//! The JSON of our protocol, both directions; `workspace/PROTOCOL.md` is its specification.
