//! I2C buses and SPI devices as the drivers see them, whatever carries them.

use embedded_hal::i2c::{Error, ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use embedded_hal::spi::{self, SpiDevice};
use std::io;

/// How often a transfer is tried before it counts as failed. A disturbed transfer succeeds the
/// next time; a device that is gone fails three times in well under a tick.
pub(crate) const TRIES: u8 = 3;

/// A transfer that did not succeed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct BusError(#[from] pub(crate) io::Error);

impl BusError {
    /// Linux: no device acknowledged the address.
    const ENXIO: i32 = 6;
    /// Linux: a device stopped acknowledging.
    const EREMOTEIO: i32 = 121;
}

impl Error for BusError {
    fn kind(&self) -> ErrorKind {
        match self.0.raw_os_error() {
            Some(Self::ENXIO) => ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address),
            Some(Self::EREMOTEIO) => ErrorKind::NoAcknowledge(NoAcknowledgeSource::Unknown),
            _ => ErrorKind::Other,
        }
    }
}

impl spi::Error for BusError {
    fn kind(&self) -> spi::ErrorKind {
        spi::ErrorKind::Other
    }
}

/// A device behind a chip select of its own.
pub(crate) struct Spi(pub(crate) Box<dyn SpiDevice<Error = BusError> + Send>);

impl spi::ErrorType for Spi {
    type Error = BusError;
}

impl SpiDevice for Spi {
    fn transaction(&mut self, steps: &mut [spi::Operation<'_, u8>]) -> Result<(), BusError> {
        self.0.transaction(steps)
    }
}

/// A bus that one thread owns. The converter and the PWM board have a handle each, also on the
/// same bus: both live on the I/O thread, and the kernel keeps transfers apart.
pub(crate) struct Bus(pub(crate) Box<dyn I2c<Error = BusError> + Send>);

impl ErrorType for Bus {
    type Error = BusError;
}

impl I2c for Bus {
    fn read(&mut self, address: u8, read: &mut [u8]) -> Result<(), BusError> {
        self.0.read(address, read)
    }

    fn write(&mut self, address: u8, write: &[u8]) -> Result<(), BusError> {
        self.0.write(address, write)
    }

    fn write_read(&mut self, address: u8, write: &[u8], read: &mut [u8]) -> Result<(), BusError> {
        self.0.write_read(address, write, read)
    }

    fn transaction(&mut self, address: u8, steps: &mut [Operation<'_>]) -> Result<(), BusError> {
        self.0.transaction(address, steps)
    }
}

/// Tries a transfer up to [`TRIES`] times and returns the last error.
pub(crate) fn retried<T, E>(mut transfer: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let mut left = TRIES;
    loop {
        left -= 1;
        match transfer() {
            Err(_) if left > 0 => {}
            result => return result,
        }
    }
}
