//! A reader that ends in an error when a manifest, or one item of it, is longer than it may be. The JSON parser keeps
//! a whole string or raw value in memory; this is what bounds it.

use std::cell::Cell;
use std::io::{self, BufReader, Read};

/// The most bytes between two [`Meter::refill`]s: any legitimate entry, fully escaped, fits well.
pub(super) const MAX_ITEM_BYTES: u64 = 512 * 1024;

/// Which limit stopped the reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    Item,
    Whole,
}

/// What may still be read, shared by the reader and the parser above it.
#[derive(Debug)]
pub(super) struct Meter {
    item: Cell<u64>,
    whole: Cell<u64>,
    stopped: Cell<Option<Stopped>>,
}

impl Meter {
    pub(super) fn new(whole: u64) -> Self {
        Self { item: Cell::new(MAX_ITEM_BYTES), whole: Cell::new(whole), stopped: Cell::new(None) }
    }

    /// The next item begins.
    pub(super) fn refill(&self) {
        self.item.set(MAX_ITEM_BYTES);
    }

    /// Which limit was met, if one was.
    pub(super) fn stopped(&self) -> Option<Stopped> {
        self.stopped.get()
    }
}

/// Reads what the meter lets through.
pub(super) struct Limited<'m, R> {
    inner: BufReader<R>,
    meter: &'m Meter,
}

impl<'m, R: Read> Limited<'m, R> {
    pub(super) fn new(inner: R, meter: &'m Meter) -> Self {
        Self { inner: BufReader::new(inner), meter }
    }
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Meter { item, whole, stopped } = self.meter;
        let left = item.get().min(whole.get());
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 && !buffer.is_empty() {
            // The end of the file exactly at the limit is no excess.
            if self.inner.read(&mut [0])? == 0 {
                return Ok(0);
            }
            stopped.set(Some(if whole.get() == 0 { Stopped::Whole } else { Stopped::Item }));
            return Err(io::Error::other("limit reached"));
        }
        let read = self.inner.read(&mut buffer[..most])?;
        item.set(item.get() - read as u64);
        whole.set(whole.get() - read as u64);
        Ok(read)
    }
}
