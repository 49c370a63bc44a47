//! Our log-probabilities against those of another implementation: `tests/fixtures/parity.json`, made by `parity.py` in f32
//! from the same blocks of weights.

use std::io::Cursor;

use serde::Deserialize;

use super::LocalModel;
use crate::support::{Storage, parity_model, weights_digest};
use crate::weights::Origin;

#[derive(Deserialize)]
struct Case {
    architecture: String,
    dtype: String,
    seed: u64,
    sha256: String,
    rope_divisors: Option<Vec<f32>>,
    tokens: Vec<u32>,
    logprobs: Vec<f32>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../../tests/fixtures/parity.json")).expect("the fixture's fields")
}

fn model(case: &Case, origin: Origin) -> LocalModel {
    let draft = parity_model(
        &case.architecture,
        Storage::named(&case.dtype),
        case.seed,
        case.rope_divisors.as_deref(),
    );
    let digest = weights_digest(&draft, &["rope_freqs.weight"]);
    assert_eq!(digest, case.sha256, "both sides draw the same weights");
    LocalModel::load(&mut Cursor::new(draft.bytes()), "parity", origin).expect("a model")
}

/// The largest difference over all positions.
fn difference(case: &Case, origin: Origin) -> f32 {
    let found = model(case, origin).score(&case.tokens).expect("scores");
    assert_eq!(found.len(), case.logprobs.len());
    let differences = found
        .iter()
        .zip(&case.logprobs)
        .map(|(found, expected)| (found - expected).abs());
    differences.fold(0.0, f32::max)
}

#[test]
fn exact_products_give_the_log_probabilities_of_another_engine() {
    for case in cases() {
        let difference = difference(&case, Origin::Plain);
        assert!(difference <= 1e-4, "{} {}: {difference}", case.architecture, case.dtype);
    }
}

/// The kernels round states to half precision (F16) or to eight bits (the others) before each product.
#[test]
fn rounded_products_stay_near_them() {
    for case in cases() {
        let allowed = match Storage::named(&case.dtype) {
            Storage::F16 => 0.01,
            Storage::Q8 | Storage::Q8Damped => 0.2,
            Storage::Q4K => 0.4,
        };
        let difference = difference(&case, Origin::File);
        assert!(
            difference <= allowed,
            "{} {}: {difference}",
            case.architecture,
            case.dtype
        );
    }
}

/// The comparison can fail.
#[test]
fn another_rotation_is_seen() {
    let case = cases().remove(4);
    assert_eq!((case.architecture.as_str(), case.dtype.as_str()), ("llama", "Q8_0"));
    let mut without = case;
    without.rope_divisors = Some(vec![1.1; 32]);
    assert!(difference(&without, Origin::Plain) > 0.01);
}
