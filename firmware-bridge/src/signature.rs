//! Signatures of programs: plain ed25519 (RFC 8032) over the [preamble] and the program's bytes. A device verifies;
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

/// A secret key, as a host holds it.
#[cfg(feature = "host")]
pub struct SecretKey(ed25519_compact::KeyPair);

#[cfg(feature = "host")]
impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey")
    }
}

#[cfg(feature = "host")]
impl SecretKey {
    /// The key of a seed, which must be random and stay secret.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> SecretKey {
        SecretKey(ed25519_compact::KeyPair::from_seed(ed25519_compact::Seed::new(seed)))
    }

    /// What devices verify with.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        *self.0.pk
    }

    /// Signs a program as what it is described to be.
    #[must_use]
    pub fn sign(&self, description: &Description, program: &[u8]) -> Signature {
        let message = [&preamble(description), program].concat();
        let signature = self.0.sk.sign(message, None);
        let mut halves = Signature::default();
        for (half, bytes) in halves.iter_mut().zip(signature.chunks_exact(32)) {
            half.copy_from_slice(bytes);
        }
        halves
    }
}

#[cfg(all(test, feature = "host"))]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 1: the seed's public key.
    #[test]
    fn keys_are_those_of_the_standard() {
        let bytes = |hex: &str| -> [u8; 32] {
            std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hexadecimal"))
        };
        let seed = bytes("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let public = bytes("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert_eq!(SecretKey::from_seed(seed).public(), public);
    }
}
