//! Files that mean harm: each is refused in bounded time and memory, with a message that names the field.
//!
//! `corpus/gguf/` holds small ones with the words that their message must have (`expected.tsv`), and whatever the fuzzer below ever
//! found; `LLMOS_CORPUS=write` writes them anew from the attacks here. `LLMOS_FUZZ_SECONDS` lets the fuzzer run longer. Both bounds are
//! measured with an allocator that counts, so the tests take turns.

mod support;

use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use llmos_models::LocalModel;
use peak_alloc::PeakAlloc;
use support::{Dice, Draft, DraftTensor, string, strings};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const BYTES_MAX: usize = 64 << 20;
const TIME_MAX: Duration = Duration::from_secs(1);

/// Held by each test while it runs, since they all count the same memory.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The message of a refusal, which kept the bounds.
fn refusal(path: &Path) -> Result<String, String> {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let begun = Instant::now();
    let opened = std::panic::catch_unwind(AssertUnwindSafe(|| LocalModel::open(path)));
    let (time, bytes) = (begun.elapsed(), MEMORY.peak_usage().saturating_sub(before));
    match opened {
        Err(_) => Err("it panicked".into()),
        Ok(Ok(_)) => Ok(String::new()),
        Ok(Err(_)) if bytes > BYTES_MAX => Err(format!("it took {bytes} bytes")),
        Ok(Err(_)) if time > TIME_MAX => Err(format!("it took {time:?}")),
        Ok(Err(error)) => Ok(error.to_string()),
    }
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/gguf")
}

/// A header with two small tensors: enough for every check before the architecture's.
fn small() -> Draft {
    let mut draft = support::random_model(1);
    let keep = ["general.architecture", "qwen3.block_count", "qwen3.embedding_length"];
    draft.metadata.retain(|(key, _, _)| keep.contains(&key.as_str()));
    let tensor = |name: &str| DraftTensor {
        name: name.into(),
        dimensions: vec![8],
        dtype: 0,
        data: vec![0; 32],
        offset: None,
    };
    draft.tensors = vec![tensor("output_norm.weight"), tensor("other.weight")];
    draft
}

fn list(kind: u32, count: u64) -> Vec<u8> {
    let mut out = kind.to_le_bytes().to_vec();
    out.extend(count.to_le_bytes());
    out
}

/// Name, bytes, and a part of the message.
#[expect(clippy::too_many_lines, reason = "a table")]
fn attacks() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let changed = |change: &dyn Fn(&mut Draft)| {
        let mut draft = small();
        change(&mut draft);
        draft.bytes()
    };
    let key = |key: &'static str, kind: u32, value: Vec<u8>| changed(&move |draft| draft.set(key, kind, &value));
    let tensor = |change: &dyn Fn(&mut DraftTensor)| changed(&|draft| change(&mut draft.tensors[1]));
    let small_bytes = small().bytes();
    let alignment = "general.alignment";
    vec![
        ("empty", Vec::new(), "magic"),
        ("magic", b"GGML\x03\0\0\0".to_vec(), "magic"),
        ("version-0", changed(&|draft| draft.version = 0), "version"),
        ("version-1", changed(&|draft| draft.version = 1), "version"),
        ("version-swapped", changed(&|draft| draft.version = 3 << 24), "version"),
        ("truncated-in-key", small_bytes[..40].to_vec(), "metadata key"),
        (
            "truncated-in-table",
            small_bytes[..small_bytes.len() - 100].to_vec(),
            "before the end of the file",
        ),
        (
            "truncated-in-data",
            small_bytes[..small_bytes.len() - 8].to_vec(),
            "inside the",
        ),
        (
            "tensor-count-max",
            changed(&|draft| draft.tensor_count = Some(u64::MAX)),
            "tensor count",
        ),
        (
            "tensor-count-one-more",
            changed(&|draft| draft.tensor_count = Some(3)),
            "1 to 4 dimensions",
        ),
        (
            "metadata-count-max",
            changed(&|draft| draft.metadata_count = Some(u64::MAX - 1)),
            "metadata count",
        ),
        (
            "metadata-count-2-32",
            changed(&|draft| draft.metadata_count = Some(1 << 32)),
            "metadata count",
        ),
        ("alignment-zero", key(alignment, 4, vec![0; 4]), alignment),
        (
            "alignment-odd",
            key(alignment, 4, 33u32.to_le_bytes().into()),
            alignment,
        ),
        (
            "alignment-huge",
            key(alignment, 4, (1u32 << 31).to_le_bytes().into()),
            alignment,
        ),
        (
            "alignment-u64",
            key(alignment, 10, 32u64.to_le_bytes().into()),
            alignment,
        ),
        ("alignment-text", key(alignment, 8, string("32")), alignment),
        ("value-type-13", key("a", 13, vec![0; 8]), "value type"),
        ("bool-2", key("a", 7, vec![2]), "boolean"),
        (
            "string-max",
            key("a", 8, u64::MAX.to_le_bytes().into()),
            "a: expected a string",
        ),
        (
            "string-past-the-end",
            key("a", 8, 900_000u64.to_le_bytes().into()),
            "a: expected",
        ),
        (
            "string-not-utf8",
            key(
                "a",
                8,
                [4u64.to_le_bytes().as_slice(), &[b'a', 0xff, 0xfe, b'b']].concat(),
            ),
            "UTF-8",
        ),
        ("array-of-arrays", key("a", 9, list(9, 1)), "array of arrays"),
        ("array-count-max", key("a", 9, list(0, u64::MAX)), "a: expected"),
        ("array-wraps", key("a", 9, list(10, 1 << 61)), "a: expected"),
        ("array-of-strings-max", key("a", 9, list(8, u64::MAX)), "a: expected"),
        ("array-of-strings-600001", key("a", 9, list(8, 600_001)), "strings"),
        ("array-type-99", key("a", 9, list(99, 1)), "element type"),
        (
            "key-twice",
            changed(&|draft| draft.metadata.push(("general.architecture".into(), 8, string("qwen3")))),
            "once",
        ),
        (
            "key-huge",
            changed(&|draft| draft.metadata.push(("k".repeat(257), 4, vec![0; 4]))),
            "metadata key",
        ),
        (
            "tensor-twice",
            tensor(&|tensor| tensor.name = "output_norm.weight".into()),
            "once",
        ),
        (
            "tensor-rank-0",
            tensor(&|tensor| tensor.dimensions.clear()),
            "dimensions",
        ),
        (
            "tensor-rank-9",
            tensor(&|tensor| tensor.dimensions = vec![1; 9]),
            "dimensions",
        ),
        (
            "tensor-dimension-0",
            tensor(&|tensor| tensor.dimensions = vec![0, 8]),
            "above 0",
        ),
        (
            "tensor-product-wraps",
            tensor(&|tensor| tensor.dimensions = vec![1 << 32, 1 << 32]),
            "63 bits",
        ),
        (
            "tensor-product-wraps-to-8",
            tensor(&|tensor| tensor.dimensions = vec![(1 << 63) + 4, 2]),
            "63 bits",
        ),
        ("tensor-type-99", tensor(&|tensor| tensor.dtype = 99), "storage type"),
        (
            "tensor-type-removed",
            tensor(&|tensor| tensor.dtype = 4),
            "storage type",
        ),
        (
            "tensor-not-in-blocks",
            tensor(&|tensor| tensor.dtype = 12),
            "multiple of 256",
        ),
        (
            "tensor-unaligned",
            tensor(&|tensor| tensor.offset = Some(33)),
            "multiple of 32",
        ),
        (
            "tensor-overlaps",
            tensor(&|tensor| tensor.offset = Some(0)),
            "bytes of its own",
        ),
        (
            "tensor-offset-max",
            tensor(&|tensor| tensor.offset = Some(u64::MAX - 31)),
            "inside the",
        ),
        (
            "tensor-outside",
            tensor(&|tensor| tensor.offset = Some(1 << 20)),
            "inside the",
        ),
        (
            "architecture-none",
            changed(&|draft| draft.metadata.clear()),
            "general.architecture",
        ),
        (
            "architecture-unknown",
            key("general.architecture", 8, string("mamba")),
            "general.architecture",
        ),
        (
            "architecture-number",
            key("general.architecture", 4, vec![1; 4]),
            "general.architecture",
        ),
        (
            "blocks-none",
            key("qwen3.attention.head_count", 4, vec![0; 4]),
            "head_count",
        ),
        (
            "width-huge",
            key("qwen3.embedding_length", 4, u32::MAX.to_le_bytes().into()),
            "embedding_length",
        ),
    ]
}

#[test]
fn the_corpus_is_refused() {
    let _turn = turn();
    let folder = corpus();
    if std::env::var("LLMOS_CORPUS").is_ok_and(|wish| wish == "write") {
        fs::create_dir_all(&folder).expect("a folder");
        let mut lines = String::new();
        for (name, bytes, expected) in attacks() {
            fs::write(folder.join(name).with_extension("gguf"), bytes).expect("written");
            lines.extend([name, ".gguf\t", expected, "\n"]);
        }
        fs::write(folder.join("expected.tsv"), lines).expect("written");
    }
    let expected = fs::read_to_string(folder.join("expected.tsv")).expect("the corpus");
    let mut seen = 0;
    for line in expected.lines() {
        let (name, part) = line.split_once('\t').expect("a name and a part of the message");
        let message = refusal(&folder.join(name)).unwrap_or_else(|broken| panic!("{name}: {broken}"));
        assert!(message.contains(part), "{name}: {message}");
        seen += 1;
    }
    let files = fs::read_dir(&folder).expect("the corpus").count() - 1;
    assert_eq!(seen, files, "every file of the corpus has its line");
    assert!(seen >= 45);
}

fn opened(draft: &Draft) -> Result<String, String> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), draft.bytes()).expect("written");
    refusal(file.path())
}

/// Headers as large as our limits let them be.
#[test]
fn the_largest_headers_stay_within_the_bounds() {
    let _turn = turn();
    let mut many_texts = small();
    many_texts.set("tokenizer.ggml.tokens", 9, &strings(&vec![String::new(); 600_000]));
    let mut many_tokens = support::random_model(1);
    let tokens: Vec<String> = (0..600_000).map(|n| format!("t{n}")).collect();
    many_tokens.set("tokenizer.ggml.tokens", 9, &strings(&tokens));
    many_tokens.set("tokenizer.ggml.merges", 9, &strings(&[]));
    let mut many_merges = support::random_model(1);
    let merges: Vec<String> = (0..300_000).map(|n| format!("t{n} the")).collect();
    many_merges.set("tokenizer.ggml.merges", 9, &strings(&merges));
    let mut long_texts = small();
    for index in 0..30 {
        long_texts.set(&format!("text.{index}"), 8, &string(&"x".repeat(1 << 20)));
    }
    let mut many_keys = small();
    for index in 0..4_000 {
        many_keys.set(&format!("{index}{}", "k".repeat(250)), 4, &[0; 4]);
    }
    let mut many_tensors = small();
    for index in 0..8_000 {
        let mut tensor = many_tensors.tensors[0].clone();
        tensor.name = format!("{index}{}", "n".repeat(250));
        many_tensors.tensors.push(tensor);
    }
    for (name, draft) in [
        ("many texts", many_texts),
        ("many tokens", many_tokens),
        ("many merges", many_merges),
        ("long texts", long_texts),
        ("many keys", many_keys),
        ("many tensors", many_tensors),
    ] {
        let message = opened(&draft).unwrap_or_else(|broken| panic!("{name}: {broken}"));
        assert!(!message.is_empty(), "{name} is no model");
    }
}

#[test]
fn what_is_no_plain_file_is_refused() {
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sparse.gguf");
    let file = fs::File::create(&path).expect("a file");
    fs::write(&path, small().bytes()).expect("written");
    if file.set_len(1 << 40).is_ok() {
        assert!(!refusal(&path).expect("within the bounds").is_empty());
    }
    if cfg!(unix) {
        let pipe = folder.path().join("pipe.gguf");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        if made.is_ok_and(|status| status.success()) {
            assert!(refusal(&pipe).expect("within the bounds").contains("pipe"));
        }
    }
    #[cfg(unix)]
    {
        let looped = folder.path().join("loop.gguf");
        std::os::unix::fs::symlink(&looped, &looped).expect("a link");
        assert!(refusal(&looped).expect("within the bounds").contains("loop.gguf"));
    }
}

/// Numbers that are near a limit somewhere.
const NUMBERS: [u64; 12] = [
    0,
    1,
    7,
    31,
    33,
    255,
    1 << 16,
    (1 << 31) - 1,
    1 << 32,
    1 << 61,
    i64::MAX as u64,
    u64::MAX,
];

/// Changes a file in a few places: bits, numbers, cuts, and pieces of itself.
fn mutated(right: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = right.to_vec();
    for _ in 0..=dice.roll(4) {
        // Most of a file is weights; what decides stands before them.
        let reach = if dice.roll(4) == 0 {
            bytes.len()
        } else {
            bytes.len().min(9_000)
        };
        let at = dice.roll(reach.max(1));
        match dice.roll(6) {
            0 => bytes.truncate(at),
            1 | 2 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.roll(8);
                }
            }
            3 | 4 => {
                let number = NUMBERS[dice.roll(NUMBERS.len())].to_le_bytes();
                let width = [1, 4, 8][dice.roll(3)];
                for (byte, new) in bytes.iter_mut().skip(at).zip(&number[..width]) {
                    *byte = *new;
                }
            }
            _ => {
                let (from, length) = (dice.roll(reach.max(1)), dice.roll(64));
                let piece: Vec<u8> = bytes.iter().skip(from).take(length).copied().collect();
                bytes.splice(at..at, piece);
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

#[test]
#[expect(clippy::print_stdout, reason = "how many files were tried is a figure to report")]
fn changed_files_are_refused_or_run_and_never_break_out() {
    let _turn = turn();
    let seconds = std::env::var("LLMOS_FUZZ_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(4));
    let bases = [small().bytes(), support::random_model(1).bytes()];
    let file = tempfile::NamedTempFile::new().expect("a file");
    let (mut dice, mut tries, mut refused) = (Dice(20_261_121), 0u32, 0u32);
    while Instant::now() < until {
        let bytes = mutated(&bases[usize::from(tries % 8 == 0)], &mut dice);
        fs::write(file.path(), &bytes).expect("written");
        match refusal(file.path()) {
            Ok(message) => refused += u32::from(!message.is_empty()),
            Err(broken) => {
                let kept = std::env::temp_dir().join(format!("llmos-fuzz-{tries}.gguf"));
                fs::write(&kept, &bytes).expect("kept");
                panic!("try {tries}: {broken}; the file is {}", kept.display());
            }
        }
        tries += 1;
    }
    assert!(refused > tries / 4 && tries > 50, "{refused} of {tries} refused");
    println!("{tries} changed files, {refused} refused, the others ran");
}
