//! The cache is only a shortcut: however the tokens come, the states are the same bits.

use std::io::Cursor;

use super::{Design, Network};
use crate::gguf::Gguf;
use crate::support::{self, Draft};
use crate::weights::{Chance, Origin, WeightError, Weights};

fn load(draft: &Draft, origin: Origin) -> Result<Network, WeightError> {
    let mut source = Cursor::new(draft.bytes());
    let gguf = Gguf::preflight(&mut source).map_err(WeightError::Fault)?;
    let design = Design::read(&gguf)?;
    let mut weights = Weights {
        gguf: &gguf,
        source: &mut source,
        origin,
    };
    Network::load(design, &mut weights)
}

fn network() -> Network {
    load(&support::random_model(5), Origin::File).expect("a network")
}

fn tokens(count: u32) -> Vec<u32> {
    (0..count).map(|index| (index * 53 + 7) % 320).collect()
}

#[test]
fn pieces_give_the_same_states_as_the_whole() {
    let (network, tokens) = (network(), tokens(300));
    let whole = network.forward(&tokens, &mut network.cache()).expect("states");
    assert!(whole.iter().all(|number| number.is_finite()));
    for size in [1, 2, 3, 5, 64, 299] {
        let mut cache = network.cache();
        let pieces: Vec<f32> = tokens
            .chunks(size)
            .flat_map(|piece| network.forward(piece, &mut cache).expect("states"))
            .collect();
        assert_eq!(pieces, whole, "in pieces of {size}");
    }
}

/// A stretch that sees itself is never cut, wherever the pieces of a long prompt would end.
#[test]
fn a_stretch_that_sees_itself_comes_in_one_piece() {
    let (network, tokens) = (network(), tokens(300));
    let width = network.dimensions().width;
    let causal = network.forward(&tokens, &mut network.cache()).expect("states");
    for whole in [0..3, 10..40, 250..262, 255..257, 20..290, 0..300] {
        let all = std::slice::from_ref(&whole);
        let seeing = network
            .forward_seeing(&tokens, all, &mut network.cache())
            .expect("states");
        let (start, end) = (whole.start, whole.end);
        assert_eq!(seeing[..start * width], causal[..start * width], "{whole:?}");
        assert_ne!(
            seeing[start * width..][..width],
            causal[start * width..][..width],
            "{whole:?}"
        );
        let mut cache = network.cache();
        let mut pieces = network.forward(&tokens[..start], &mut cache).expect("states");
        let own = 0..end - start;
        pieces.extend(
            network
                .forward_seeing(&tokens[start..end], std::slice::from_ref(&own), &mut cache)
                .expect("states"),
        );
        pieces.extend(network.forward(&tokens[end..], &mut cache).expect("states"));
        assert_eq!(pieces, seeing, "{whole:?}");
        let mut changed = tokens.clone();
        changed[end - 1] += 1;
        let other = network
            .forward_seeing(&changed, all, &mut network.cache())
            .expect("states");
        assert_ne!(
            other[start * width..][..width],
            seeing[start * width..][..width],
            "its first token sees its last"
        );
    }
}

#[test]
fn a_cut_cache_is_as_good_as_a_new_one() {
    let (network, tokens) = (network(), tokens(60));
    let whole = network.forward(&tokens, &mut network.cache()).expect("states");
    let width = network.dimensions().width;
    let mut cache = network.cache();
    network.forward(&tokens, &mut cache).expect("states");
    for length in [59, 31, 1, 0] {
        network.forward(&[9, 8, 7], &mut cache).expect("states");
        cache.truncate(length);
        assert_eq!(cache.len(), length);
        let rest = network.forward(&tokens[length..], &mut cache).expect("states");
        assert_eq!(rest, whole[length * width..], "cut to {length}");
    }
}

#[test]
fn order_matters() {
    let network = network();
    let last = |tokens: &[u32]| {
        let states = network.forward(tokens, &mut network.cache()).expect("states");
        states[states.len() - network.dimensions().width..].to_vec()
    };
    assert_ne!(last(&[60, 61, 62]), last(&[61, 60, 62]));
}

#[test]
fn random_weights_follow_their_seed() {
    let draft = support::random_model(5);
    let states = |seed: u64| {
        let network = load(&draft, Origin::Random(Chance::new(seed))).expect("a network");
        network.forward(&tokens(8), &mut network.cache()).expect("states")
    };
    assert_eq!(states(1), states(1));
    assert_ne!(states(1), states(2));
}

/// What an architecture needs and the file does not have, with the field that must be named.
#[test]
fn missing_and_misshapen_parts_are_named() {
    type Lie = fn(&mut Draft);
    let lies: Vec<(&str, Lie)> = vec![
        ("general.architecture", |draft| {
            draft.set("general.architecture", 8, &support::string("mamba"));
        }),
        ("general.architecture", |draft| {
            draft.metadata.retain(|(key, _, _)| key != "general.architecture");
        }),
        ("qwen3.attention.head_count", |draft| {
            draft.set("qwen3.attention.head_count", 4, &[0; 4]);
        }),
        ("qwen3.attention.head_count_kv", |draft| {
            draft.set("qwen3.attention.head_count_kv", 4, &3u32.to_le_bytes());
        }),
        ("qwen3.attention.head_count_kv", |draft| {
            draft.set("qwen3.attention.head_count_kv", 4, &8u32.to_le_bytes());
        }),
        ("qwen3.attention.key_length", |draft| {
            draft.set("qwen3.attention.key_length", 4, &63u32.to_le_bytes());
        }),
        ("qwen3.attention.value_length", |draft| {
            draft.set("qwen3.attention.value_length", 4, &32u32.to_le_bytes());
        }),
        ("qwen3.block_count", |draft| {
            draft.set("qwen3.block_count", 4, &u32::MAX.to_le_bytes());
        }),
        ("qwen3.block_count", |draft| {
            draft.set("qwen3.block_count", 6, &2f32.to_le_bytes());
        }),
        ("blk.2.attn_norm.weight", |draft| {
            draft.set("qwen3.block_count", 4, &3u32.to_le_bytes());
        }),
        ("qwen3.embedding_length", |draft| {
            draft.set("qwen3.embedding_length", 5, &(-256i32).to_le_bytes());
        }),
        ("qwen3.rope.freq_base", |draft| {
            draft.set("qwen3.rope.freq_base", 6, &f32::NAN.to_le_bytes());
        }),
        ("qwen3.rope.freq_base", |draft| {
            draft.set("qwen3.rope.freq_base", 6, &0f32.to_le_bytes());
        }),
        ("qwen3.context_length", |draft| {
            draft.set("qwen3.context_length", 10, &u64::MAX.to_le_bytes());
        }),
        ("token_embd.weight", |draft| {
            draft.tensors.retain(|tensor| tensor.name != "token_embd.weight");
        }),
        ("output_norm.weight", |draft| {
            draft.tensors.retain(|tensor| tensor.name != "output_norm.weight");
        }),
        ("blk.1.ffn_up.weight", |draft| {
            draft.tensors.retain(|tensor| tensor.name != "blk.1.ffn_up.weight");
        }),
        ("blk.0.ffn_down.weight", |draft| {
            draft.tensor("blk.0.ffn_down.weight").dimensions = vec![256, 512];
        }),
        ("blk.0.attn_norm.weight", |draft| {
            draft.tensor("blk.0.attn_norm.weight").dtype = 1;
        }),
    ];
    let right = support::random_model(5);
    for (field, lie) in lies {
        let mut draft = right.clone();
        lie(&mut draft);
        match load(&draft, Origin::File) {
            Err(WeightError::Fault(fault)) => assert!(fault.field.contains(field), "{field}: {fault}"),
            other => panic!("the lie about {field} gave {other:?}"),
        }
    }
}

const STATES_TO: &str = "LLMOS_TEST_STATES_TO";

#[test]
#[ignore = "the body of one_thread_gives_the_same_bits_as_two, in a process of its own"]
fn states_into_a_file() {
    let network = network();
    let states = network.forward(&tokens(100), &mut network.cache()).expect("states");
    let path = std::env::var(STATES_TO).expect("the path of a file");
    let bytes: Vec<u8> = states.iter().flat_map(|number| number.to_le_bytes()).collect();
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn one_thread_gives_the_same_bits_as_two() {
    let states = |threads: &str| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let status = std::process::Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "arch::tests::states_into_a_file", "--ignored"])
            .env("CANDLE_NUM_THREADS", threads)
            .env(STATES_TO, file.path())
            .stdout(std::process::Stdio::null())
            .status();
        assert!(status.expect("a process").success());
        std::fs::read(file.path()).expect("states")
    };
    let one = states("1");
    assert_eq!(one.len(), 100 * 256 * 4);
    assert_eq!(one, states("2"));
}
