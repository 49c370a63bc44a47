//! Files that lie about themselves.

use std::io::Cursor;

use super::Gguf;
use crate::error::Fault;
use crate::support::{Dice, Draft, random_model, string};

fn preflight(bytes: Vec<u8>) -> Result<Gguf, Fault> {
    Gguf::preflight(&mut Cursor::new(bytes))
}

#[test]
fn a_right_file_passes() {
    let gguf = preflight(random_model(1).bytes()).expect("a right file");
    assert_eq!(gguf.text("general.architecture"), Ok("qwen3"));
    assert_eq!(gguf.tensors().len(), 2 + 2 * 11 + 8 + 2);
}

/// Each lie and the field that must be named.
#[test]
fn lies_are_named() {
    type Lie = fn(&mut Draft);
    let key_norm = "blk.0.attn_k_norm.weight";
    let lies: Vec<(&str, Lie)> = vec![
        ("magic", |draft| draft.magic = *b"GGML"),
        ("version", |draft| draft.version = 1),
        ("version", |draft| draft.version = u32::MAX),
        ("tensor count", |draft| draft.tensor_count = Some(u64::MAX)),
        ("metadata count", |draft| draft.metadata_count = Some(u64::MAX)),
        ("metadata count", |draft| draft.metadata_count = Some(1 << 20)),
        ("general.alignment", |draft| {
            draft.set("general.alignment", 4, &0u32.to_le_bytes());
        }),
        ("general.alignment", |draft| {
            draft.set("general.alignment", 4, &33u32.to_le_bytes());
        }),
        ("general.alignment", |draft| {
            draft.set("general.alignment", 4, &(1u32 << 31).to_le_bytes());
        }),
        ("general.alignment", |draft| {
            draft.set("general.alignment", 10, &32u64.to_le_bytes());
        }),
        ("general.alignment", |draft| {
            draft.set("general.alignment", 8, &string("32"));
        }),
        ("x.huge", |draft| draft.set("x.huge", 8, &u64::MAX.to_le_bytes())),
        ("x.huge", |draft| draft.set("x.huge", 8, &(1u64 << 19).to_le_bytes())),
        ("x.utf8", |draft| {
            draft.set("x.utf8", 8, &[2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe]);
        }),
        ("x.kind", |draft| draft.set("x.kind", 13, &[0; 8])),
        ("x.truth", |draft| draft.set("x.truth", 7, &[2])),
        ("x.nested", |draft| draft.set("x.nested", 9, &list(9, 1))),
        ("x.numbers", |draft| draft.set("x.numbers", 9, &list(0, u64::MAX))),
        ("x.numbers", |draft| {
            draft.set("x.numbers", 9, &list(12, u64::MAX / 8 + 2));
        }),
        ("x.texts", |draft| draft.set("x.texts", 9, &list(8, u64::MAX))),
        ("x.texts", |draft| draft.set("x.texts", 9, &list(8, 500_000))),
        ("x.element", |draft| draft.set("x.element", 9, &list(77, 1))),
        ("general.name", |draft| {
            draft.metadata.push(("general.name".into(), 8, string("twice")));
        }),
        (key_norm, |draft| {
            draft.tensor("blk.0.attn_k_norm.weight").dimensions = vec![1 << 32, 1 << 32];
        }),
        (key_norm, |draft| {
            draft.tensor("blk.0.attn_k_norm.weight").dimensions = vec![u64::MAX];
        }),
        (key_norm, |draft| {
            draft.tensor("blk.0.attn_k_norm.weight").dimensions = vec![0, 4];
        }),
        (key_norm, |draft| {
            draft.tensor("blk.0.attn_k_norm.weight").dimensions = vec![];
        }),
        (key_norm, |draft| {
            draft.tensor("blk.0.attn_k_norm.weight").dimensions = vec![1; 5];
        }),
        (key_norm, |draft| draft.tensor("blk.0.attn_k_norm.weight").dtype = 4),
        (key_norm, |draft| {
            draft.tensor("blk.0.attn_k_norm.weight").dtype = u32::MAX;
        }),
        (key_norm, |draft| {
            draft.tensor("blk.0.attn_k_norm.weight").offset = Some(7);
        }),
        (key_norm, |draft| {
            draft.tensor("blk.0.attn_k_norm.weight").offset = Some(u64::MAX - 31);
        }),
        (key_norm, |draft| {
            draft.tensor("blk.0.attn_k_norm.weight").offset = Some(1 << 40);
        }),
        (key_norm, |draft| {
            draft.tensor("blk.0.attn_k_norm.weight").offset = Some(64);
        }),
        ("blk.0.attn_q.weight", |draft| {
            draft.tensor("blk.0.attn_q.weight").dimensions = vec![255, 256];
        }),
        (key_norm, |draft| {
            let twice = draft.tensor("blk.0.attn_k_norm.weight").clone();
            draft.tensors.push(twice);
        }),
        ("name of tensor 0", |draft| draft.tensors[0].name = "long ".repeat(100)),
    ];
    let right = random_model(1);
    for (index, (field, lie)) in lies.into_iter().enumerate() {
        let mut draft = right.clone();
        lie(&mut draft);
        let fault = preflight(draft.bytes())
            .map(|_| ())
            .expect_err(&format!("lie {index} about {field} was believed"));
        let named = fault.field.contains(field) || fault.to_string().contains(field);
        assert!(named, "lie {index} about {field}: {fault}");
    }
}

fn list(kind: u32, count: u64) -> Vec<u8> {
    let mut out = kind.to_le_bytes().to_vec();
    out.extend(count.to_le_bytes());
    out
}

/// Cut anywhere in the header, or in the weights.
#[test]
fn a_cut_file_is_refused() {
    let bytes = random_model(1).bytes();
    let cuts = (0..9_000).chain((9_000..bytes.len()).step_by(4_099));
    for length in cuts {
        assert!(preflight(bytes[..length].to_vec()).is_err(), "cut to {length} bytes");
    }
}

/// Whatever a byte becomes, the answer comes and is bounded; many changes are harmless (a name, a number).
#[test]
fn a_changed_byte_never_panics() {
    let bytes = random_model(1).bytes();
    let mut dice = Dice(3);
    for _ in 0..4_000 {
        let mut changed = bytes.clone();
        for _ in 0..=dice.roll(3) {
            let at = dice.roll(12_000);
            changed[at] = u8::try_from(dice.roll(256)).unwrap_or(0);
        }
        let _ = preflight(changed);
    }
}
