//! What a device prints, made presentable: [`Decoder`] makes text of bytes, [`Redactor`] keeps
//! secrets out of it, and [`Collected`] is both, for the two streams of a command and up to a limit.

mod collected;
mod decoder;
#[cfg(test)]
mod pieces;
mod redactor;

pub use collected::Collected;
pub use decoder::Decoder;
pub use redactor::Redactor;
