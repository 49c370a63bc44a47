//! Talking to devices: what a message means, when it is sent again, and what a device does with it.
//!
//! The rooms are layered by what they may know. [`topic`], [`device`], [`frame`], [`packet`] and [`port`] are `no_std` and know no JSON: they
//! run on a microcontroller. [`message`], [`link`], [`interpreter`] and [`binding`] are pure: bytes and time go in, bytes and events come out. Only [`io`] and
//! [`sim`] own sockets and threads, and they decide nothing.
//!
//! **What this room must not know**: manifests, tools' meanings, goals, models, policy. A tool is a name with arguments here.
#![cfg_attr(not(any(feature = "host", test)), no_std)]

pub mod desk;
pub mod device;
pub mod frame;
pub mod packet;
pub mod port;
pub mod program;
#[cfg(feature = "signed")]
pub mod signature;
pub mod store;
pub mod topic;

#[cfg(feature = "host")]
pub mod binding;
#[cfg(feature = "host")]
pub mod interpreter;
#[cfg(feature = "host")]
pub mod io;
#[cfg(feature = "host")]
pub mod link;
#[cfg(feature = "host")]
pub mod message;
#[cfg(feature = "host")]
pub mod plain;
#[cfg(feature = "host")]
pub mod sim;

pub use device::Refusal;
pub use topic::{DeviceName, Topic};

#[cfg(feature = "host")]
pub use binding::Binding;
#[cfg(feature = "host")]
pub use link::{Channel, Kind, Link, LinkConfig, LinkEvent, LinkInput, LinkOutput, Loss, Report};
#[cfg(feature = "host")]
pub use plain::{Named, Plain};
