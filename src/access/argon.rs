//! Argon2id in memory that is kept from one hash to the next.
//!
//! Allocated anew each time, the 19 MiB of a hash stay with the allocator: glibc's raises the size from which it
//! gives memory back as soon as such a block is freed, and keeps one on each thread that ever hashed.

use std::sync::{Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::{CustomizedPasswordHasher, PasswordHasher, Result};
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// Hashes and verifies with the parameters of [`Params::DEFAULT`], and verifies with those of any other hash.
/// It keeps as many memories as hashes were ever computed at once: who calls it bounds them.
#[derive(Default)]
pub struct Argon {
    kept: Mutex<Vec<Vec<Block>>>,
}

impl Argon {
    /// Lends a memory of `length` blocks of 1 KiB; what is in it does not matter to Argon2.
    fn in_memory<T>(&self, length: usize, work: impl FnOnce(&mut [Block]) -> T) -> T {
        let usual = Params::DEFAULT.block_count();
        if length > usual {
            return work(&mut vec![Block::new(); length]);
        }
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = kept().pop();
        let mut memory = memory.unwrap_or_else(|| vec![Block::new(); usual]);
        let result = work(&mut memory);
        kept().push(memory);
        result
    }
}

impl PasswordHasher<PasswordHash> for Argon {
    fn hash_password_with_salt(&self, password: &[u8], salt: &[u8]) -> Result<PasswordHash> {
        self.hash_password_customized(password, salt, None, None, Params::DEFAULT)
    }
}

impl CustomizedPasswordHasher<PasswordHash> for Argon {
    type Params = Params;

    fn hash_password_customized(
        &self,
        password: &[u8],
        salt: &[u8],
        algorithm: Option<&str>,
        version: Option<u32>,
        params: Params,
    ) -> Result<PasswordHash> {
        let algorithm = algorithm.map(Algorithm::try_from).transpose()?;
        let algorithm = algorithm.unwrap_or_default();
        let version = version.map(Version::try_from).transpose()?;
        let version = version.unwrap_or_default();
        let salt = Salt::new(salt)?;
        let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let mut output = vec![0; length];
        let argon2 = Argon2::new(algorithm, version, params.clone());
        self.in_memory(params.block_count(), |memory| {
            argon2.hash_password_into_with_memory(password, &salt, &mut output, memory)
        })?;
        Ok(PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: ParamsString::try_from(&params)?,
            salt: Some(salt),
            hash: Some(Output::new(&output)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier as _;

    use super::*;

    /// Else nobody could log in whose password was hashed by the command line, or by an older version.
    #[test]
    fn its_hashes_are_those_of_the_library_in_a_memory_used_before_too() {
        let argon = Argon::default();
        for salt in [b"saltsaltsalt", b"otherothersa"] {
            let ours = argon.hash_password_with_salt(b"correct horse", salt);
            let theirs = Argon2::default().hash_password_with_salt(b"correct horse", salt);
            assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn hashes_of_other_parameters_are_verified() {
        let argon = Argon::default();
        for (kibibytes, output) in [(64, None), (40_000, Some(16))] {
            let params = Params::new(kibibytes, 1, 2, output).unwrap();
            let other = Argon2::new(Algorithm::Argon2i, Version::V0x10, params);
            let hash = other.hash_password(b"correct horse").unwrap();
            assert_eq!(argon.verify_password(b"correct horse", &hash), Ok(()));
            assert!(argon.verify_password(b"incorrect horse", &hash).is_err());
        }
    }

    /// What this module is for: memory does not grow with the threads, nor with one large hash.
    #[test]
    fn one_memory_serves_one_hash_after_the_other() {
        let argon = Argon::default();
        argon.hash_password(b"correct horse").unwrap();
        let address = || argon.kept.lock().unwrap()[0].as_ptr().addr();
        let first = address();
        std::thread::scope(|scope| {
            scope.spawn(|| argon.hash_password(b"correct horse").unwrap());
        });
        let large = Params::new(40_000, 1, 1, None).unwrap();
        argon
            .hash_password_customized(b"x", b"saltsaltsalt", None, None, large)
            .unwrap();
        argon.hash_password(b"correct horse").unwrap();
        assert_eq!(address(), first);
        assert_eq!(argon.kept.lock().unwrap().len(), 1);
    }
}
