//! Signatures of programs: plain ed25519 (RFC 8032) over the [preamble](crate::store::preamble) and the program's bytes. A device verifies;
//! only a host signs. This file must not know where keys are kept.

use crate::program::{Description, Objection, Signature};
use crate::store::preamble;

/// Checks a signature. The program is read where it lies.
///
/// # Errors
/// [`Objection::Signature`].
pub fn verify(
    key: &[u8; 32],
    description: &Description,
    program: &[u8],
    signature: &Signature,
) -> Result<(), Objection> {
    let [r, s] = signature;
    let mut bytes = [0; 64];
    for (byte, value) in bytes.iter_mut().zip(r.iter().chain(s)) {
        *byte = *value;
    }
    let verified = ed25519_compact::PublicKey::new(*key)
        .verify_incremental(&ed25519_compact::Signature::new(bytes))
        .and_then(|mut state| {
            state.absorb(preamble(description));
            state.absorb(program);
            state.verify()
        });
    verified.map_err(|_| Objection::Signature)
}
