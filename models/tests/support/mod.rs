//! Writes GGUF files byte by byte: right ones with random weights, and wrong ones that no exporter would write.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fmt::Write;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use sha2::{Digest, Sha256};

/// A file before it is written. All fields may lie.
#[derive(Debug, Clone)]
pub struct Draft {
    pub magic: [u8; 4],
    pub version: u32,
    /// Key, value type, bytes of the value.
    pub metadata: Vec<(String, u32, Vec<u8>)>,
    pub tensors: Vec<DraftTensor>,
    /// Instead of the true counts.
    pub tensor_count: Option<u64>,
    pub metadata_count: Option<u64>,
    pub alignment: usize,
}

#[derive(Debug, Clone)]
pub struct DraftTensor {
    pub name: String,
    /// Innermost first, as in the file.
    pub dimensions: Vec<u64>,
    pub dtype: u32,
    pub data: Vec<u8>,
    /// Instead of the true offset.
    pub offset: Option<u64>,
}

impl Draft {
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.magic.to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend(self.tensor_count.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        out.extend(self.metadata_count.unwrap_or(self.metadata.len() as u64).to_le_bytes());
        for (key, kind, value) in &self.metadata {
            out.extend(string(key));
            out.extend(kind.to_le_bytes());
            out.extend(value);
        }
        let mut offset = 0;
        for tensor in &self.tensors {
            out.extend(string(&tensor.name));
            out.extend(number(tensor.dimensions.len()).to_le_bytes());
            for dimension in &tensor.dimensions {
                out.extend(dimension.to_le_bytes());
            }
            out.extend(tensor.dtype.to_le_bytes());
            out.extend(tensor.offset.unwrap_or(offset as u64).to_le_bytes());
            offset += tensor.data.len().next_multiple_of(self.alignment);
        }
        for tensor in &self.tensors {
            out.resize(out.len().next_multiple_of(self.alignment), 0);
            out.extend(&tensor.data);
        }
        out
    }

    pub fn set(&mut self, key: &str, kind: u32, value: &[u8]) {
        self.metadata.retain(|(held, _, _)| held != key);
        self.metadata.push((key.to_owned(), kind, value.to_vec()));
    }

    pub fn tensor(&mut self, name: &str) -> &mut DraftTensor {
        self.tensors
            .iter_mut()
            .find(|tensor| tensor.name == name)
            .expect("a tensor of the draft")
    }
}

fn number(size: usize) -> u32 {
    u32::try_from(size).expect("a small number")
}

pub fn string(text: &str) -> Vec<u8> {
    let mut out = (text.len() as u64).to_le_bytes().to_vec();
    out.extend(text.as_bytes());
    out
}

pub fn strings(texts: &[String]) -> Vec<u8> {
    let mut out = 8u32.to_le_bytes().to_vec();
    out.extend((texts.len() as u64).to_le_bytes());
    for text in texts {
        out.extend(string(text));
    }
    out
}

/// Metadata of a small model, without tensors: two layers, four heads on two, a context of 1,024.
fn header(architecture: &str) -> Draft {
    let (width, layers, heads, kv_heads, head, feed_forward) = SIZES;
    let mut draft = Draft {
        magic: *b"GGUF",
        version: 3,
        metadata: Vec::new(),
        tensors: Vec::new(),
        tensor_count: None,
        metadata_count: None,
        alignment: 32,
    };
    draft.set("general.architecture", 8, &string(architecture));
    draft.set("general.name", 8, &string("random"));
    let sizes = [
        ("block_count", layers),
        ("embedding_length", width),
        ("feed_forward_length", feed_forward),
        ("context_length", 1_024),
        ("attention.head_count", heads),
        ("attention.head_count_kv", kv_heads),
        ("attention.key_length", head),
        ("attention.value_length", head),
    ];
    for (key, size) in sizes {
        draft.set(&format!("{architecture}.{key}"), 4, &number(size).to_le_bytes());
    }
    draft.set(&format!("{architecture}.rope.freq_base"), 6, &10_000f32.to_le_bytes());
    draft.set(
        &format!("{architecture}.attention.layer_norm_rms_epsilon"),
        6,
        &1e-6f32.to_le_bytes(),
    );
    draft.set("tokenizer.ggml.model", 8, &string("gpt2"));
    draft.set("tokenizer.ggml.pre", 8, &string("qwen2"));
    draft.set("tokenizer.ggml.tokens", 9, &strings(&vocabulary()));
    draft.set("tokenizer.ggml.merges", 9, &strings(&merges()));
    draft
}

/// The weights of one case of `fixtures/parity.json`, drawn as `fixtures/parity.py` draws them.
pub fn parity_model(architecture: &str, dtype: Storage, seed: u64, rope_divisors: Option<&[f32]>) -> Draft {
    let mut dice = Dice(seed);
    let llama = architecture == "llama";
    let mut draft = header(architecture);
    let tensors = &mut draft.tensors;
    let rows = vocabulary().len();
    draw_network(tensors, &mut dice, dtype, rows, llama);
    if llama {
        tensors.push(dtype.matrix(&mut dice, "output.weight".into(), rows, SIZES.0));
    }
    if let Some(divisors) = rope_divisors {
        tensors.push(vector("rope_freqs.weight".into(), divisors));
    }
    draft
}

/// The planner of `fixtures/tiny-random.json` with the recipe's vocabulary, drawn as the recipe's `fixtures.py` draws it.
pub fn recipe_model(seed: u64) -> Draft {
    let recipe = include_str!("../../training/tokenizer.json");
    let recipe: serde_json::Value = serde_json::from_str(recipe).expect("the recipe's tokenizer");
    let places = recipe["model"]["vocab"].as_object().expect("a vocabulary");
    let mut tokens = vec![String::new(); places.len()];
    for (token, place) in places {
        let place = place
            .as_u64()
            .and_then(|place| usize::try_from(place).ok())
            .expect("a place");
        tokens[place].clone_from(token);
    }
    let merge = |pair: &serde_json::Value| {
        let part = |at: usize| pair[at].as_str().expect("a part of a merge");
        format!("{} {}", part(0), part(1))
    };
    let merges: Vec<String> = recipe["model"]["merges"]
        .as_array()
        .expect("merges")
        .iter()
        .map(merge)
        .collect();
    let mut draft = header("qwen3");
    draft.set("llmos.format", 4, &3u32.to_le_bytes());
    draft.set("tokenizer.ggml.tokens", 9, &strings(&tokens));
    draft.set("tokenizer.ggml.merges", 9, &strings(&merges));
    draft.set("llmos.caution", 6, &1.5f32.to_le_bytes());
    let mut dice = Dice(seed);
    let tensors = &mut draft.tensors;
    let dtype = Storage::Q8Damped;
    draw_network(tensors, &mut dice, dtype, tokens.len(), false);
    for part in POINTERS {
        tensors.push(dtype.matrix(&mut dice, format!("pointer.{part}.weight"), 128, SIZES.0));
    }
    tensors.push(dtype.matrix(&mut dice, "sense.weight".into(), tokens.len(), 128));
    tensors.push(vector("sense.scale".into(), &[5.0, 3.0]));
    draft
}

/// Embeddings of `rows` tokens, the layers, and the last norm.
fn draw_network(tensors: &mut Vec<DraftTensor>, dice: &mut Dice, dtype: Storage, rows: usize, llama: bool) {
    let (width, layers, heads, kv_heads, head, feed_forward) = SIZES;
    tensors.push(dtype.matrix(dice, "token_embd.weight".into(), rows, width));
    for layer in 0..layers {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        tensors.push(near_ones(dice, name("attn_norm"), width));
        for (part, rows) in [("attn_q", heads), ("attn_k", kv_heads), ("attn_v", kv_heads)] {
            tensors.push(dtype.matrix(dice, name(part), rows * head, width));
        }
        if !llama {
            tensors.push(near_ones(dice, name("attn_q_norm"), head));
            tensors.push(near_ones(dice, name("attn_k_norm"), head));
        }
        tensors.push(dtype.matrix(dice, name("attn_output"), width, heads * head));
        tensors.push(near_ones(dice, name("ffn_norm"), width));
        for (part, rows, columns) in [
            ("ffn_gate", feed_forward, width),
            ("ffn_up", feed_forward, width),
            ("ffn_down", width, feed_forward),
        ] {
            tensors.push(dtype.matrix(dice, name(part), rows, columns));
        }
    }
    tensors.push(near_ones(dice, "output_norm.weight".into(), width));
}

/// SHA-256 of the tensors' bytes, one behind the other, but of those in `undrawn`.
pub fn weights_digest(draft: &Draft, undrawn: &[&str]) -> String {
    let mut hash = Sha256::new();
    for tensor in &draft.tensors {
        if !undrawn.contains(&tensor.name.as_str()) {
            hash.update(&tensor.data);
        }
    }
    hash.finalize().iter().fold(String::new(), |mut digest, byte| {
        write!(digest, "{byte:02x}").expect("a string");
        digest
    })
}

/// A storage type whose blocks can be drawn byte by byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    F16,
    Q8,
    /// Q8 with half the deviation, so that layers add less than they are given, as trained ones do.
    Q8Damped,
    Q4K,
}

impl Storage {
    pub fn named(name: &str) -> Self {
        match name {
            "F16" => Self::F16,
            "Q8_0" => Self::Q8,
            "Q4_K" => Self::Q4K,
            other => panic!("no storage type {other}"),
        }
    }

    /// Blocks of numbers with a mean near 0 and a deviation near 1/16.
    fn matrix(self, dice: &mut Dice, name: String, rows: usize, columns: usize) -> DraftTensor {
        let count = rows * columns;
        let mut data = Vec::new();
        match self {
            Self::F16 => data.extend((0..count).flat_map(|_| half(eleven_bits(dice) / 8_192.0))),
            Self::Q8 | Self::Q8Damped => {
                let scale = half(if self == Self::Q8 { 1.0 / 1_024.0 } else { 1.0 / 2_048.0 });
                for _ in 0..count / 32 {
                    data.extend(scale);
                    data.extend((0..32).map(|_| byte(dice)));
                }
            }
            Self::Q4K => {
                for _ in 0..count / 256 {
                    data.extend(half(1.0 / 2_048.0));
                    data.extend(half(7.5 / 2_048.0));
                    data.extend((0..140).map(|_| byte(dice)));
                }
            }
        }
        let dtype = match self {
            Self::F16 => 1,
            Self::Q8 | Self::Q8Damped => 8,
            Self::Q4K => 12,
        };
        let dimensions = vec![columns as u64, rows as u64];
        DraftTensor {
            name,
            dimensions,
            dtype,
            data,
            offset: None,
        }
    }
}

fn byte(dice: &mut Dice) -> u8 {
    u8::try_from(dice.roll(256)).expect("a byte")
}

/// A whole number from -1,024 to 1,023.
fn eleven_bits(dice: &mut Dice) -> f32 {
    f32::from(u16::try_from(dice.roll(2_048)).expect("11 bits")) - 1_024.0
}

/// The bytes of a number in half precision; the numbers here are exact in it.
fn half(number: f32) -> [u8; 2] {
    let tensor = Tensor::from_vec(vec![number], (1, 1), &Device::Cpu).expect("a tensor");
    let stored = QTensor::quantize(&tensor, GgmlDType::F16).expect("half precision");
    let data = stored.data().expect("bytes");
    [data[0], data[1]]
}

fn near_ones(dice: &mut Dice, name: String, length: usize) -> DraftTensor {
    let numbers: Vec<f32> = (0..length).map(|_| 1.0 + eleven_bits(dice) / 4_096.0).collect();
    vector(name, &numbers)
}

/// Width, layers, heads, key-value heads, numbers in a head, feed-forward width.
const SIZES: (usize, usize, usize, usize, usize, usize) = (256, 2, 4, 2, 64, 512);

const POINTERS: [&str; 8] = [
    "tool.query",
    "tool.key",
    "start.query",
    "start.key",
    "end.query",
    "end.key",
    "about.query",
    "about.key",
];

/// A small planner with random weights.
pub fn random_model(seed: u64) -> Draft {
    let (width, layers, heads, kv_heads, head, feed_forward) = SIZES;
    let rows = vocabulary().len();
    let mut draft = header("qwen3");
    draft.set("llmos.format", 4, &3u32.to_le_bytes());
    let mut dice = Dice(seed);
    let mut matrix = |name: String, rows: usize, columns: usize| draft_matrix(&mut dice, name, rows, columns);
    draft.tensors.push(matrix("token_embd.weight".into(), rows, width));
    for layer in 0..layers {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        draft.tensors.extend([
            ones(name("attn_norm"), width),
            matrix(name("attn_q"), heads * head, width),
            matrix(name("attn_k"), kv_heads * head, width),
            matrix(name("attn_v"), kv_heads * head, width),
            ones(name("attn_q_norm"), head),
            ones(name("attn_k_norm"), head),
            matrix(name("attn_output"), width, heads * head),
            ones(name("ffn_norm"), width),
            matrix(name("ffn_gate"), feed_forward, width),
            matrix(name("ffn_up"), feed_forward, width),
            matrix(name("ffn_down"), width, feed_forward),
        ]);
    }
    draft.tensors.push(ones("output_norm.weight".into(), width));
    for part in POINTERS {
        draft.tensors.push(matrix(format!("pointer.{part}.weight"), 128, width));
    }
    draft.tensors.push(matrix("sense.weight".into(), rows, 128));
    draft.tensors.push(vector("sense.scale".into(), &[8.0, 8.0]));
    draft
}

fn ones(name: String, length: usize) -> DraftTensor {
    vector(name, &vec![1.0; length])
}

fn vector(name: String, numbers: &[f32]) -> DraftTensor {
    let data = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    DraftTensor {
        name,
        dimensions: vec![numbers.len() as u64],
        dtype: 0,
        data,
        offset: None,
    }
}

fn draft_matrix(dice: &mut Dice, name: String, rows: usize, columns: usize) -> DraftTensor {
    let scale = (3.0 / f32::from(u16::try_from(columns).expect("a small matrix"))).sqrt();
    let numbers: Vec<f32> = (0..rows * columns).map(|_| dice.symmetric() * scale).collect();
    let tensor = Tensor::from_vec(numbers, (rows, columns), &Device::Cpu).expect("a tensor");
    let data = QTensor::quantize(&tensor, GgmlDType::Q8_0)
        .expect("a quantised tensor")
        .data()
        .expect("bytes")
        .to_vec();
    DraftTensor {
        name,
        dimensions: vec![columns as u64, rows as u64],
        dtype: 8,
        data,
        offset: None,
    }
}

/// 48 control tokens, 256 bytes, and 16 merges: a multiple of 16.
pub fn vocabulary() -> Vec<String> {
    let names = "pad tools goal plan end none ask skip param example next judge question yes no reserved";
    let mut tokens: Vec<String> = names.split(' ').map(|name| format!("<{name}>")).collect();
    tokens.extend((0..32).map(|index| format!("<t{index}>")));
    tokens.extend((0..=255u8).map(|byte| byte_letter(byte).to_string()));
    tokens.extend(merges().iter().map(|merge| merge.replace(' ', "")));
    tokens
}

pub fn merges() -> Vec<String> {
    let merges = "Ġ t,h e,Ġt he,r e,i n,Ġ a,c u,cu b,cub e,Ġ c,Ġ m,o v,Ġm ov,Ġmov e,re d,Ġ red";
    merges.split(',').map(str::to_owned).collect()
}

/// The letter that stands for a byte in byte-level vocabularies (GPT-2).
fn byte_letter(byte: u8) -> char {
    let plain = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if plain(byte) {
        return char::from(byte);
    }
    let rank = (0..byte).filter(|before| !plain(*before)).count();
    char::from_u32(256 + number(rank)).expect("a letter")
}

/// Numbers that look random and are the same everywhere.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides.max(1)
    }

    fn symmetric(&mut self) -> f32 {
        f32::from(u16::try_from(self.roll(1 << 16)).expect("16 bits")) / 32_767.5 - 1.0
    }
}
