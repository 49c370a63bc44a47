//! Reads the header of a GGUF file, suspecting every byte of it, before anything is allocated or multiplied on its word.
//!
//! The tensor library's own reader trusts the file in places (an alignment of zero divides, dimensions wrap), so it never
//! sees the header: this module reads metadata and the tensor table within fixed limits and hands out byte ranges that lie
//! inside the file. It must not know what the metadata means; that is for `arch` and `tokenizer`.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Seek, SeekFrom};

use candle_core::quantized::GgmlDType;

use crate::error::Fault;

#[cfg(test)]
mod tests;

/// Metadata and tensor table together; Qwen3's vocabulary of 151,936 tokens needs 6 MiB.
const HEADER_BYTES_MAX: u64 = 32 << 20;
const METADATA_MAX: u64 = 4_096;
const TENSORS_MAX: u64 = 8_192;
const DIMENSIONS_MAX: u32 = 4;
const NAME_BYTES_MAX: u64 = 256;
const TEXT_BYTES_MAX: u64 = 1 << 20;
/// Strings in all arrays together, each of which costs about 56 bytes beside its own.
const TEXTS_MAX: u64 = 600_000;
/// One read of the file while its header is parsed.
const READ_BYTES: usize = 64 << 10;
const ALIGNMENT: &str = "general.alignment";
const ALIGNMENT_DEFAULT: u64 = 32;
const ALIGNMENT_MAX: u64 = 65_536;

/// Where a model comes from: a file, or bytes of this binary.
pub(crate) trait Source: Read + Seek {}
impl<T: Read + Seek> Source for T {}

/// A metadata value. Arrays of numbers are checked and skipped: nothing here needs one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    Numbers,
}

/// One line of the tensor table, checked against the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tensor {
    /// Outermost first: rows, then columns.
    pub dimensions: Vec<usize>,
    pub dtype: GgmlDType,
    /// From the beginning of the file.
    pub offset: u64,
    pub bytes: u64,
}

/// The header of a file whose tensors all lie inside it.
#[derive(Debug)]
pub(crate) struct Gguf {
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, Tensor>,
}

impl Gguf {
    /// Reads and checks the header; `source` stands at its beginning.
    pub fn preflight(source: &mut dyn Source) -> Result<Self, Fault> {
        let file_bytes = file_bytes(source)?;
        let end = file_bytes.min(HEADER_BYTES_MAX);
        let mut header = Header {
            source: BufReader::with_capacity(READ_BYTES, source),
            position: 0,
            end,
            texts: 0,
        };
        let magic = header.array::<4>("magic")?;
        if &magic != b"GGUF" {
            return Err(Fault::new("magic", "`GGUF`", format!("bytes {magic:02x?}")));
        }
        let version = header.u32("version")?;
        if !(2..=3).contains(&version) {
            return Err(Fault::new("version", "2 or 3", version.to_string()));
        }
        let tensor_count = header.count("tensor count", TENSORS_MAX)?;
        let metadata_count = header.count("metadata count", METADATA_MAX)?;
        let metadata = header.metadata(metadata_count)?;
        let mut tensors = header.tensors(tensor_count)?;
        let alignment = alignment(&metadata)?;
        let data_start = header.position.next_multiple_of(alignment);
        place(&mut tensors, data_start, alignment, file_bytes)?;
        Ok(Self {
            metadata,
            tensors: tensors.into_iter().collect(),
        })
    }

    /// All tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// A tensor of exactly these dimensions.
    pub fn tensor(&self, name: &str, dimensions: &[usize]) -> Result<&Tensor, Fault> {
        let Some(tensor) = self.tensors.get(name) else {
            return Err(Fault::new(
                format!("tensor {name}"),
                format!("dimensions {dimensions:?}"),
                "no such tensor",
            ));
        };
        if tensor.dimensions != dimensions {
            let found = format!("{:?}", tensor.dimensions);
            return Err(Fault::new(
                format!("tensor {name}"),
                format!("dimensions {dimensions:?}"),
                found,
            ));
        }
        Ok(tensor)
    }

    pub fn value(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    pub fn text(&self, key: &str) -> Result<&str, Fault> {
        match self.value(key) {
            Some(Value::Text(text)) => Ok(text),
            other => Err(Fault::new(key, "a string", describe(other))),
        }
    }

    pub fn texts(&self, key: &str) -> Result<&[String], Fault> {
        match self.value(key) {
            Some(Value::Texts(texts)) => Ok(texts),
            other => Err(Fault::new(key, "an array of strings", describe(other))),
        }
    }

    /// A whole number from 1 to `max`.
    pub fn positive(&self, key: &str, max: usize) -> Result<usize, Fault> {
        let expected = || format!("a whole number from 1 to {max}");
        let number = match self.value(key) {
            Some(Value::Unsigned(number)) => Some(*number),
            Some(Value::Signed(number)) => u64::try_from(*number).ok(),
            _ => None,
        };
        match number.and_then(|number| usize::try_from(number).ok()) {
            Some(number) if (1..=max).contains(&number) => Ok(number),
            Some(number) => Err(Fault::new(key, expected(), number.to_string())),
            None => Err(Fault::new(key, expected(), describe(self.value(key)))),
        }
    }

    /// A number above zero and no larger than `max`.
    pub fn positive_float(&self, key: &str, max: f64) -> Result<f64, Fault> {
        match self.value(key) {
            Some(Value::Float(number)) if *number > 0.0 && *number <= max => Ok(*number),
            other => Err(Fault::new(
                key,
                format!("a number above 0, at most {max}"),
                describe(other),
            )),
        }
    }
}

fn describe(value: Option<&Value>) -> String {
    match value {
        None => "no such key".into(),
        Some(Value::Text(text)) => format!("the string `{}`", text.chars().take(40).collect::<String>()),
        Some(Value::Texts(texts)) => format!("an array of {} strings", texts.len()),
        Some(Value::Numbers) => "an array of numbers".into(),
        Some(Value::Unsigned(number)) => number.to_string(),
        Some(Value::Signed(number)) => number.to_string(),
        Some(Value::Float(number)) => number.to_string(),
        Some(Value::Bool(truth)) => truth.to_string(),
    }
}

fn file_bytes(source: &mut dyn Source) -> Result<u64, Fault> {
    let size = source
        .seek(SeekFrom::End(0))
        .and_then(|size| source.seek(SeekFrom::Start(0)).map(|_| size));
    size.map_err(|error| Fault::new("file size", "a file that can be searched", error.to_string()))
}

fn alignment(metadata: &BTreeMap<String, Value>) -> Result<u64, Fault> {
    match metadata.get(ALIGNMENT) {
        None => Ok(ALIGNMENT_DEFAULT),
        Some(Value::Unsigned(number)) if number.is_power_of_two() && (8..=ALIGNMENT_MAX).contains(number) => {
            Ok(*number)
        }
        other => Err(Fault::new(
            ALIGNMENT,
            format!("a power of two from 8 to {ALIGNMENT_MAX} of type u32"),
            describe(other),
        )),
    }
}

/// Turns offsets into positions in the file: aligned, inside it, and no two on the same bytes.
fn place(tensors: &mut [(String, Tensor)], data_start: u64, alignment: u64, file_bytes: u64) -> Result<(), Fault> {
    for (name, tensor) in tensors.iter_mut() {
        let field = || format!("tensor {name}: offset");
        if tensor.offset % alignment != 0 {
            return Err(Fault::new(
                field(),
                format!("a multiple of {alignment}"),
                tensor.offset.to_string(),
            ));
        }
        let inside = data_start
            .checked_add(tensor.offset)
            .filter(|start| start.checked_add(tensor.bytes).is_some_and(|end| end <= file_bytes));
        let Some(start) = inside else {
            let found = format!(
                "{} bytes at offset {} after byte {data_start}",
                tensor.bytes, tensor.offset
            );
            return Err(Fault::new(
                field(),
                format!("a tensor inside the {file_bytes} bytes of the file"),
                found,
            ));
        };
        tensor.offset = start;
    }
    let mut order: Vec<&(String, Tensor)> = tensors.iter().collect();
    order.sort_by_key(|(_, tensor)| tensor.offset);
    for pair in order.windows(2) {
        let [(before, first), (name, second)] = pair else {
            continue;
        };
        if first.offset + first.bytes > second.offset {
            let found = format!("bytes shared with tensor {before}");
            return Err(Fault::new(format!("tensor {name}: offset"), "bytes of its own", found));
        }
    }
    Ok(())
}

/// The part of the file before the weights, read once from front to back.
struct Header<'a> {
    source: BufReader<&'a mut dyn Source>,
    position: u64,
    end: u64,
    texts: u64,
}

impl Header<'_> {
    /// Checks that `bytes` more bytes can be read, before anyone allocates them.
    fn room(&self, field: &str, bytes: u64) -> Result<(), Fault> {
        let left = self.end - self.position;
        if bytes > left {
            let expected = format!("{bytes} more bytes at byte {}", self.position);
            let end = if self.end == HEADER_BYTES_MAX {
                "the header's limit"
            } else {
                "the end of the file"
            };
            return Err(Fault::new(field, expected, format!("{left} before {end}")));
        }
        Ok(())
    }

    fn fill(&mut self, field: &str, buffer: &mut [u8]) -> Result<(), Fault> {
        self.room(field, buffer.len() as u64)?;
        let result = self.source.read_exact(buffer);
        result.map_err(|error| Fault::new(field, format!("readable bytes at {}", self.position), error.to_string()))?;
        self.position += buffer.len() as u64;
        Ok(())
    }

    fn array<const N: usize>(&mut self, field: &str) -> Result<[u8; N], Fault> {
        let mut buffer = [0; N];
        self.fill(field, &mut buffer)?;
        Ok(buffer)
    }

    fn u32(&mut self, field: &str) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.array(field)?))
    }

    fn u64(&mut self, field: &str) -> Result<u64, Fault> {
        Ok(u64::from_le_bytes(self.array(field)?))
    }

    fn count(&mut self, field: &str, max: u64) -> Result<u64, Fault> {
        let count = self.u64(field)?;
        if count > max {
            return Err(Fault::new(field, format!("at most {max}"), count.to_string()));
        }
        Ok(count)
    }

    fn string(&mut self, field: &str, bytes_max: u64) -> Result<String, Fault> {
        let bytes = self.u64(field)?;
        if bytes > bytes_max {
            return Err(Fault::new(
                field,
                format!("a string of at most {bytes_max} bytes"),
                format!("{bytes} bytes"),
            ));
        }
        self.room(field, bytes)?;
        // Bounded by `bytes_max`, so the cast cannot cut.
        let mut buffer = vec![0; usize::try_from(bytes).unwrap_or(0)];
        self.fill(field, &mut buffer)?;
        String::from_utf8(buffer).map_err(|error| {
            Fault::new(
                field,
                "UTF-8",
                format!("an invalid byte {} into the string", error.utf8_error().valid_up_to()),
            )
        })
    }

    fn metadata(&mut self, count: u64) -> Result<BTreeMap<String, Value>, Fault> {
        let mut metadata = BTreeMap::new();
        for index in 0..count {
            let key = self.string(&format!("metadata key {index}"), NAME_BYTES_MAX)?;
            let kind = self.u32(&key)?;
            if key == ALIGNMENT && kind != 4 {
                return Err(Fault::new(key, "type u32 (4)", format!("value type {kind}")));
            }
            let value = self.value(&key, kind)?;
            if metadata.contains_key(&key) {
                return Err(Fault::new(key, "each metadata key once", "a second entry"));
            }
            metadata.insert(key, value);
        }
        Ok(metadata)
    }

    fn value(&mut self, key: &str, kind: u32) -> Result<Value, Fault> {
        Ok(match kind {
            0 => Value::Unsigned(self.array::<1>(key)?[0].into()),
            1 => Value::Signed(i8::from_le_bytes(self.array(key)?).into()),
            2 => Value::Unsigned(u16::from_le_bytes(self.array(key)?).into()),
            3 => Value::Signed(i16::from_le_bytes(self.array(key)?).into()),
            4 => Value::Unsigned(self.u32(key)?.into()),
            5 => Value::Signed(i32::from_le_bytes(self.array(key)?).into()),
            6 => Value::Float(f32::from_le_bytes(self.array(key)?).into()),
            7 => match self.array::<1>(key)?[0] {
                truth @ 0..=1 => Value::Bool(truth == 1),
                other => return Err(Fault::new(key, "a boolean of 0 or 1", other.to_string())),
            },
            8 => Value::Text(self.string(key, TEXT_BYTES_MAX)?),
            9 => self.list(key)?,
            10 => Value::Unsigned(self.u64(key)?),
            11 => Value::Signed(i64::from_le_bytes(self.array(key)?)),
            12 => Value::Float(f64::from_le_bytes(self.array(key)?)),
            other => return Err(Fault::new(key, "a value type from 0 to 12", other.to_string())),
        })
    }

    fn list(&mut self, key: &str) -> Result<Value, Fault> {
        let kind = self.u32(key)?;
        let count = self.u64(key)?;
        let width = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            8 => return self.texts(key, count),
            9 => return Err(Fault::new(key, "an array of plain values", "an array of arrays")),
            other => return Err(Fault::new(key, "an element type from 0 to 12", other.to_string())),
        };
        let bytes = count.saturating_mul(width);
        self.room(key, bytes)?;
        let position = self.position + bytes;
        // `room` bounds it by the header's limit, far below i64.
        let moved = self.source.seek_relative(i64::try_from(bytes).unwrap_or(0));
        moved.map_err(|error| Fault::new(key, format!("{bytes} readable bytes"), error.to_string()))?;
        self.position = position;
        Ok(Value::Numbers)
    }

    fn texts(&mut self, key: &str, count: u64) -> Result<Value, Fault> {
        if count > TEXTS_MAX - self.texts {
            let expected = format!("at most {TEXTS_MAX} strings in all arrays");
            return Err(Fault::new(key, expected, format!("{count} after {}", self.texts)));
        }
        self.room(key, count.saturating_mul(8))?;
        self.texts += count;
        let mut texts = Vec::new();
        for _ in 0..count {
            texts.push(self.string(key, TEXT_BYTES_MAX)?);
        }
        Ok(Value::Texts(texts))
    }

    fn tensors(&mut self, count: u64) -> Result<Vec<(String, Tensor)>, Fault> {
        let mut tensors: Vec<(String, Tensor)> = Vec::new();
        let mut names = std::collections::BTreeSet::new();
        for index in 0..count {
            let name = self.string(&format!("name of tensor {index}"), NAME_BYTES_MAX)?;
            let tensor = self.tensor(&name)?;
            if !names.insert(name.clone()) {
                return Err(Fault::new(
                    format!("tensor {name}"),
                    "each tensor once",
                    "a second entry",
                ));
            }
            tensors.push((name, tensor));
        }
        Ok(tensors)
    }

    /// One line of the table; its offset is still that of the file, relative to the data.
    fn tensor(&mut self, name: &str) -> Result<Tensor, Fault> {
        let field = format!("tensor {name}");
        let rank = self.u32(&field)?;
        if !(1..=DIMENSIONS_MAX).contains(&rank) {
            return Err(Fault::new(
                field,
                format!("1 to {DIMENSIONS_MAX} dimensions"),
                rank.to_string(),
            ));
        }
        let mut dimensions = Vec::new();
        for _ in 0..rank {
            dimensions.push(self.u64(&field)?);
        }
        dimensions.reverse();
        let dtype = dtype(&field, self.u32(&field)?)?;
        let offset = self.u64(&field)?;
        let bytes = storage_bytes(&field, &dimensions, dtype)?;
        let narrow = dimensions.iter().map(|&dimension| usize::try_from(dimension).ok());
        let Some(dimensions) = narrow.collect::<Option<Vec<usize>>>() else {
            return Err(Fault::new(
                field,
                "dimensions that this machine can address",
                format!("{dimensions:?}"),
            ));
        };
        Ok(Tensor {
            dimensions,
            dtype,
            offset,
            bytes,
        })
    }
}

/// Bytes of a tensor, with every product checked.
fn storage_bytes(field: &str, dimensions: &[u64], dtype: GgmlDType) -> Result<u64, Fault> {
    let block = dtype.block_size() as u64;
    let columns = dimensions.last().copied().unwrap_or(0);
    if dimensions.contains(&0) || columns % block != 0 {
        let expected = format!(
            "dimensions above 0, the innermost a multiple of {block} for {}",
            dtype_name(dtype)
        );
        return Err(Fault::new(field, expected, format!("{dimensions:?}")));
    }
    let elements = dimensions
        .iter()
        .try_fold(1u64, |product, &dimension| product.checked_mul(dimension));
    let bytes = elements.and_then(|elements| (elements / block).checked_mul(dtype.type_size() as u64));
    bytes.filter(|&bytes| i64::try_from(bytes).is_ok()).ok_or_else(|| {
        Fault::new(
            field,
            "dimensions whose product fits 63 bits",
            format!("{dimensions:?}"),
        )
    })
}

/// The storage types that the tensor library can multiply by.
fn dtype(field: &str, number: u32) -> Result<GgmlDType, Fault> {
    Ok(match number {
        0 => GgmlDType::F32,
        1 => GgmlDType::F16,
        2 => GgmlDType::Q4_0,
        3 => GgmlDType::Q4_1,
        6 => GgmlDType::Q5_0,
        7 => GgmlDType::Q5_1,
        8 => GgmlDType::Q8_0,
        10 => GgmlDType::Q2K,
        11 => GgmlDType::Q3K,
        12 => GgmlDType::Q4K,
        13 => GgmlDType::Q5K,
        14 => GgmlDType::Q6K,
        30 => GgmlDType::BF16,
        other => {
            let expected = "a storage type of F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 or Q2_K to Q6_K";
            return Err(Fault::new(field, expected, format!("type {other}")));
        }
    })
}

/// The name of a storage type as it stands in file names.
pub(crate) fn dtype_name(dtype: GgmlDType) -> &'static str {
    match dtype {
        GgmlDType::F32 => "F32",
        GgmlDType::F16 => "F16",
        GgmlDType::BF16 => "BF16",
        GgmlDType::Q4_0 => "Q4_0",
        GgmlDType::Q4_1 => "Q4_1",
        GgmlDType::Q5_0 => "Q5_0",
        GgmlDType::Q5_1 => "Q5_1",
        GgmlDType::Q8_0 => "Q8_0",
        GgmlDType::Q8_1 => "Q8_1",
        GgmlDType::Q2K => "Q2_K",
        GgmlDType::Q3K => "Q3_K",
        GgmlDType::Q4K => "Q4_K",
        GgmlDType::Q5K => "Q5_K",
        GgmlDType::Q6K => "Q6_K",
        GgmlDType::Q8K => "Q8_K",
    }
}
