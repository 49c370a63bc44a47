//! Who is to blame. [`Reject`] says that an input was bad; [`Handoff`] says that the world is not as the program needs it, which is
//! a normal outcome and not an error. Both are fieldless, so that they cost nothing on a microcontroller; the host adds the words.

use serde::{Deserialize, Serialize};

/// A program, message or value that is refused before anything is done with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reject {
    /// Fewer bytes than the format needs.
    Truncated,
    /// The checksum does not match the bytes.
    Checksum,
    /// Written by a version that this build does not read.
    Version,
    /// Bytes that do not decode.
    Malformed,
    /// More bytes, calls, steps, operations or cases than a program may have.
    TooLarge,
    /// Made for another device.
    Device,
    /// An index points outside its pool.
    OutOfRange,
    /// A call has no step, steps do not follow their calls, a call depends on itself or a later one, or a compensation is not one.
    Order,
    /// An expression takes more values than it made, or leaves none.
    Stack,
    /// An operator met a value of another type.
    Type,
    /// A result does not fit into 64 bits.
    Overflow,
    /// A slot has no value.
    UnboundSlot,
    /// No earlier step has kept the result that an expression needs.
    UnsetResult,
    /// The device does not report a value that an expression needs.
    NoReading,
    /// A choice is not among the cases that the program knows.
    NoCase,
}

/// Why a follower stops following.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handoff {
    /// The devices are not as they must be before the first step.
    StartState,
    /// A precondition does not hold before the step.
    Precondition,
    /// The device finished the step, and its state does not meet the postcondition.
    Postcondition,
    /// The device did not acknowledge in time.
    NoAck,
    /// The device acknowledged but did not finish in time.
    Timeout,
    /// The gate did not let the command through.
    Refused,
    /// The device rejected the command or reported that it failed.
    DeviceFailed,
    /// The device went away during the step.
    Lost,
    /// Something that the step needs is not there: not reported by the device (a missing object, an unknown place), or not kept by an
    /// earlier step.
    Missing,
    /// The program itself is wrong at this step.
    Program,
}
