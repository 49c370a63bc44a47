//! Following a program where it lies: the bytes stay in flash, and RAM holds only an [`Index`] of where calls, steps and every eighth
//! operation and case begin. [`Index::of`] refuses what [`wire::decode`](crate::wire::decode) refuses, for the same reason, without ever
//! holding a [`Program`](crate::program::Program). What is read again later is read with every bound checked, so that even bytes which
//! changed underneath end in a rejection. This file must not know flash, slots of a store, or how a program is executed.

use crate::code::{Op, Range};
use crate::error::Reject;
use crate::listing::{Counts, Listing, check};
use crate::program::{CALLS_MAX, CASES_MAX, CODE_MAX, Call, STARTS_MAX, STEPS_MAX, Step};
use crate::value::{Symbol, Value};
use crate::wire::{Rest, open, take};
use core::marker::PhantomData;
use serde::Deserialize;

/// Of operations and cases, every one of so many has its place in the index.
const STRIDE: usize = 8;
const _: () = assert!(CODE_MAX.is_multiple_of(STRIDE) && CASES_MAX.is_multiple_of(STRIDE));

/// Where the parts of a program begin in its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Index {
    length: usize,
    checksum: u32,
    counts: Counts,
    starts: u16,
    calls: [u16; CALLS_MAX],
    steps: [u16; STEPS_MAX],
    code: [u16; CODE_MAX / STRIDE],
    cases: [u16; CASES_MAX / STRIDE],
}

impl Index {
    /// Looks through the bytes of a program.
    ///
    /// # Errors
    /// Those of [`wire::decode`](crate::wire::decode), in its order.
    pub fn of(bytes: &[u8]) -> Result<Index, Reject> {
        let mut rest = open(bytes)?;
        let mut index = Index {
            length: bytes.len(),
            checksum: checksum(bytes),
            counts: Counts::default(),
            starts: 0,
            calls: [0; CALLS_MAX],
            steps: [0; STEPS_MAX],
            code: [0; CODE_MAX / STRIDE],
            cases: [0; CASES_MAX / STRIDE],
        };
        index.counts.slots = rest.one()?;
        let mut first = [0; 1];
        index.counts.starts = byte(list::<(Symbol, Range)>(&mut rest, STARTS_MAX, &mut first)?);
        index.starts = first[0];
        index.counts.calls = byte(list::<Call>(&mut rest, 1, &mut index.calls)?);
        index.counts.steps = byte(list::<Step>(&mut rest, 1, &mut index.steps)?);
        index.counts.compensating = rest.one()?;
        index.counts.code = list::<Op>(&mut rest, STRIDE, &mut index.code)?;
        index.counts.cases = list::<(Symbol, Value)>(&mut rest, STRIDE, &mut index.cases)?;
        rest.end()?;
        check(&InPlace { bytes, index: &index })?;
        Ok(index)
    }

    /// Looks through the bytes of a program that one device is to follow alone.
    ///
    /// # Errors
    /// Those of [`Index::of`], and [`Reject::Device`] where the program is for another device, or for several.
    pub fn of_for(device: Symbol, bytes: &[u8]) -> Result<Index, Reject> {
        let index = Index::of(bytes)?;
        if (InPlace { bytes, index: &index }).is_for(device) {
            Ok(index)
        } else {
            Err(Reject::Device)
        }
    }

    /// The program itself; `None` where these are other bytes than those that were looked through, as their length or checksum says.
    #[must_use]
    pub fn program<'a>(&'a self, bytes: &'a [u8]) -> Option<InPlace<'a>> {
        let same = bytes.len() == self.length && checksum(bytes) == self.checksum;
        same.then_some(InPlace { bytes, index: self })
    }

    /// The CRC-32 that ends the bytes: which program this is.
    #[must_use]
    pub const fn checksum(&self) -> u32 {
        self.checksum
    }

    /// How many entries the program's lists have.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }
}

/// The checksum that the bytes end with, right or wrong.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.last_chunk().map_or(0, |sum| u32::from_le_bytes(*sum))
}

/// Reads a list and notes where one entry in `stride` begins. It may be as long as the places last.
fn list<'a, T: Deserialize<'a>>(rest: &mut Rest<'a>, stride: usize, places: &mut [u16]) -> Result<u16, Reject> {
    let mut count = 0;
    let (mut places, mut until_next) = (places.iter_mut(), 0);
    rest.each(|at, _: T| {
        count += 1;
        if until_next == 0 {
            until_next = stride;
            *places.next().ok_or(Reject::TooLarge)? = u16::try_from(at).map_err(|_| Reject::TooLarge)?;
        }
        until_next -= 1;
        Ok(())
    })?;
    u16::try_from(count).map_err(|_| Reject::TooLarge)
}

/// A count that its list's capacity keeps below a byte.
fn byte(count: u16) -> u8 {
    u8::try_from(count).unwrap_or(u8::MAX)
}

/// A program that lies where its bytes are.
#[derive(Clone, Copy, Debug)]
pub struct InPlace<'a> {
    bytes: &'a [u8],
    index: &'a Index,
}

impl<'a> InPlace<'a> {
    fn from(&self, place: u16) -> Option<&'a [u8]> {
        self.bytes.get(usize::from(place)..)
    }

    fn entry<T: Deserialize<'a>>(&self, places: &[u16], count: u8, index: usize) -> Option<T> {
        if index >= usize::from(count) {
            return None;
        }
        take(self.from(*places.get(index)?)?).map(|(value, _)| value)
    }

    /// A stretch of a pool.
    fn pool<T: Deserialize<'a>>(&self, places: &[u16], count: u16, range: Range) -> Option<Entries<'a, T>> {
        let indices = range.indices();
        if indices.end > usize::from(count) {
            return None;
        }
        let mut entries = Entries {
            rest: &[],
            left: 0,
            entry: PhantomData,
        };
        if !range.is_empty() {
            entries.rest = self.from(*places.get(indices.start / STRIDE)?)?;
            entries.left = indices.start % STRIDE + indices.len();
            for _ in 0..indices.start % STRIDE {
                entries.next()?;
            }
        }
        Some(entries)
    }
}

/// Entries one after the other. It ends early where the bytes do.
struct Entries<'a, T> {
    rest: &'a [u8],
    left: usize,
    entry: PhantomData<T>,
}

impl<'a, T: Deserialize<'a>> Iterator for Entries<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        let (value, rest) = take(self.rest)?;
        self.rest = rest;
        Some(value)
    }
}

impl Listing for InPlace<'_> {
    fn counts(&self) -> Counts {
        self.index.counts
    }

    fn start(&self, index: usize) -> Option<(Symbol, Range)> {
        let mut entries = Entries {
            rest: self.from(self.index.starts)?,
            left: usize::from(self.index.counts.starts),
            entry: PhantomData,
        };
        entries.nth(index)
    }

    fn call(&self, index: usize) -> Option<Call> {
        self.entry(&self.index.calls, self.index.counts.calls, index)
    }

    fn step(&self, index: usize) -> Option<Step> {
        self.entry(&self.index.steps, self.index.counts.steps, index)
    }

    fn code(&self, range: Range) -> Option<impl Iterator<Item = Op>> {
        self.pool(&self.index.code, self.index.counts.code, range)
    }

    fn cases(&self, range: Range) -> Option<impl Iterator<Item = (Symbol, Value)>> {
        self.pool(&self.index.cases, self.index.counts.cases, range)
    }

    /// It was checked when it was looked through.
    fn check(&self) -> Result<(), Reject> {
        Ok(())
    }
}
