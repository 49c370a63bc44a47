//! Hands out the bytes of a tensor: those of the file, or random ones of the same type and shape.
//!
//! The random ones are a control: with them every line of the program runs but the network knows nothing. This module
//! must not know which tensor does what, but for one thing: a vector scales something, and a random one is all ones.

use std::borrow::Cow;
use std::io::SeekFrom;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Tensor};

use crate::error::{Fault, ModelError};
use crate::gguf::{self, Gguf, Source};
use crate::processor;

/// A file behind its checked header.
pub(crate) struct Weights<'a> {
    pub gguf: &'a Gguf,
    pub source: &'a mut dyn Source,
    pub origin: Origin,
}

/// Where the numbers come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin {
    File,
    /// The file's, in F32: for a processor on which nothing else can be multiplied. It takes four times the memory of eight bits a number.
    /// Products are exact, so tests tell our arithmetic from the rounding of the kernels with it.
    Plain,
    Random(Chance),
}

/// Why a tensor could not be had.
#[derive(Debug)]
pub(crate) enum WeightError {
    /// The file is not what the architecture needs.
    Fault(Fault),
    /// The tensor library refused.
    Model(ModelError),
}

impl From<Fault> for WeightError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<candle_core::Error> for WeightError {
    fn from(error: candle_core::Error) -> Self {
        Self::Model(error.into())
    }
}

impl Weights<'_> {
    /// Whether the file holds this tensor, of whatever shape.
    pub fn holds(&self, name: &str) -> bool {
        self.gguf.tensors().contains_key(name)
    }

    /// A vector of F32 numbers.
    pub fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>, WeightError> {
        let (dtype, bytes) = self.bytes(name, &[length])?;
        if dtype != GgmlDType::F32 {
            return Err(Fault::new(format!("tensor {name}"), "type F32", gguf::dtype_name(dtype)).into());
        }
        let words = bytes.chunks_exact(4);
        Ok(words
            .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            .collect())
    }

    /// One matrix of `[rows, columns]`.
    pub fn matrix(&mut self, name: &str, rows: usize, columns: usize) -> Result<QTensor, WeightError> {
        let (dtype, bytes) = self.bytes(name, &[rows, columns])?;
        tensor(dtype, bytes, rows, columns)
    }

    /// Matrices that multiply the same input, stacked into as few as their types allow: rows are stored one by one, so
    /// that the bytes of two matrices of one type are the bytes of their stack.
    pub fn stack(&mut self, names: &[(String, usize)], columns: usize) -> Result<Vec<QTensor>, WeightError> {
        let mut stacks: Vec<(GgmlDType, Vec<u8>, usize)> = Vec::new();
        for (name, rows) in names {
            let (dtype, bytes) = self.bytes(name, &[*rows, columns])?;
            match stacks.last_mut() {
                Some((last, stack, stacked)) if *last == dtype => {
                    stack.extend_from_slice(&bytes);
                    *stacked += rows;
                }
                _ => stacks.push((dtype, bytes, *rows)),
            }
        }
        stacks
            .into_iter()
            .map(|(dtype, bytes, rows)| tensor(dtype, bytes, rows, columns))
            .collect()
    }

    fn bytes(&mut self, name: &str, dimensions: &[usize]) -> Result<(GgmlDType, Vec<u8>), WeightError> {
        let entry = self.gguf.tensor(name, dimensions)?;
        if let Origin::Random(chance) = &mut self.origin {
            let dtype = if processor::multiplies_quantised() {
                entry.dtype
            } else {
                GgmlDType::F32
            };
            return Ok((dtype, random_bytes(chance, dtype, dimensions)?));
        }
        let unreadable = |found: String| Fault::new(format!("tensor {name}"), format!("{} bytes", entry.bytes), found);
        let Ok(length) = usize::try_from(entry.bytes) else {
            return Err(unreadable("more than this machine can address".into()).into());
        };
        let mut bytes = vec![0; length];
        let read = self
            .source
            .seek(SeekFrom::Start(entry.offset))
            .and_then(|_| self.source.read_exact(&mut bytes));
        read.map_err(|error| unreadable(error.to_string()))?;
        if let (Origin::Plain, [rows, columns]) = (self.origin, dimensions) {
            let numbers = tensor(entry.dtype, bytes, *rows, *columns)?
                .dequantize(&Device::Cpu)?
                .flatten_all()?;
            let bytes = numbers
                .to_vec1::<f32>()?
                .iter()
                .flat_map(|number| number.to_le_bytes())
                .collect();
            return Ok((GgmlDType::F32, bytes));
        }
        Ok((entry.dtype, bytes))
    }
}

fn tensor(dtype: GgmlDType, bytes: Vec<u8>, rows: usize, columns: usize) -> Result<QTensor, WeightError> {
    let storage = QStorage::from_data(Cow::Owned(bytes), &Device::Cpu, dtype)?;
    Ok(QTensor::new(storage, (rows, columns))?)
}

/// Uniform numbers scaled so that a product keeps the size of its input.
fn random_bytes(chance: &mut Chance, dtype: GgmlDType, dimensions: &[usize]) -> Result<Vec<u8>, WeightError> {
    let [rows, columns] = dimensions else {
        let ones = vec![1.0f32; dimensions.iter().product()];
        return Ok(ones.iter().flat_map(|one| one.to_le_bytes()).collect());
    };
    let scale = (3.0 / f32::from(u16::try_from(*columns).unwrap_or(u16::MAX))).sqrt();
    let numbers: Vec<f32> = (0..rows * columns).map(|_| chance.symmetric() * scale).collect();
    let quantised = QTensor::quantize(&Tensor::from_vec(numbers, (*rows, *columns), &Device::Cpu)?, dtype)?;
    Ok(quantised.data()?.into_owned())
}

/// `SplitMix64` (Steele, Lea and Flood 2014): a few lines, and the same numbers everywhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From -1 to 1.
    fn symmetric(&mut self) -> f32 {
        let bits = u16::try_from(self.next() >> 48).unwrap_or(0);
        f32::from(bits) / 32_767.5 - 1.0
    }
}
