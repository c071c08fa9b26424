//! Files that travel instead of a session: sealed for one reader, signed by their writer, read piece by piece.
//!
//! A file is a header of 24 bytes (name, version, kind, tag of the reader's key), the 32 bytes that open it, then parts:
//! a length (4 bytes, big-endian) and so many bytes, encrypted by HPKE (RFC 9180: X25519, HKDF-SHA256, ChaCha20-Poly1305)
//! under one context, so that none can be left out, doubled or moved. The last part is the signature over all others.
//! A part is a message of `file.proto`. What it means, and whose signature counts, is the caller's.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use hpke::aead::{AeadCtxR, AeadCtxS, ChaCha20Poly1305};
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use prost::Message;
use ring::digest::{Context, SHA256};
use rollcall_sync::batch_file::{DownPart, UpPart};
use rollcall_sync::limits::{FILE_BYTES_MAX, FILE_PART_BYTES_MAX};
use rollcall_sync::message::Hash;

use crate::convert::Wire;
use crate::error::{FileError, RpcError};
use crate::seal_key::{Recipient, SealKey};
use crate::signing::{SigningKey, VerifyingKey};

const NAME: &[u8; 14] = b"rollcall-file\n";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = NAME.len() + 1 + 1 + 8;
/// Public key that a file brings for its reader.
const OPENER_BYTES: usize = 32;
/// What encryption adds to a part.
const TAG_BYTES: usize = 16;
const SIGNATURE_BYTES: usize = 64;
/// First byte of a part: more follow, or it is the signature.
const PART: u8 = 0;
const END: u8 = 1;

type Sealing = AeadCtxS<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>;
type Opening = AeadCtxR<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>;

/// What a file consists of.
pub trait FilePart: Sized {
    /// Says in the header what the file is.
    const KIND: u8;

    /// Serialised.
    ///
    /// # Errors
    /// `TooLarge` where it passes a limit.
    fn to_bytes(&self) -> Result<Vec<u8>, RpcError>;

    /// Read again.
    ///
    /// # Errors
    /// `Malformed` or `TooLarge` where it is nothing of the kind.
    fn from_bytes(bytes: &[u8]) -> Result<Self, RpcError>;
}

macro_rules! part {
    ($part:ty, $kind:literal) => {
        impl FilePart for $part {
            const KIND: u8 = $kind;

            fn to_bytes(&self) -> Result<Vec<u8>, RpcError> {
                Ok(self.to_wire()?.encode_to_vec())
            }

            fn from_bytes(bytes: &[u8]) -> Result<Self, RpcError> {
                let wire = <Self as Wire>::Pb::decode(bytes);
                Self::from_wire(wire.map_err(|_| RpcError::Malformed { field: "part" })?)
            }
        }
    };
}

part!(UpPart, 1);
part!(DownPart, 2);

fn header(kind: u8, recipient: &Recipient) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..14].copy_from_slice(NAME);
    (header[14], header[15]) = (VERSION, kind);
    header[16..].copy_from_slice(&recipient.tag());
    header
}

/// The bytes that the signature is over, as they pass.
struct Digest(Context);

impl Digest {
    fn new(header: &[u8; HEADER_BYTES]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(header);
        Self(context)
    }

    fn add(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    fn finish(self) -> Hash {
        let digest = self.0.finish();
        digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

/// Writes a file part by part.
pub struct SealedWriter<P, W: Write> {
    out: W,
    sealing: Sealing,
    recipient: Recipient,
    digest: Digest,
    part: PhantomData<fn(&P)>,
}

impl<P: FilePart, W: Write> SealedWriter<P, W> {
    /// Begins a file for this reader.
    ///
    /// # Errors
    /// `Recipient` where the key is none; the file's.
    pub fn begin(mut out: W, recipient: &Recipient) -> Result<Self, FileError> {
        let header = header(P::KIND, recipient);
        let (opener, sealing) = hpke::setup_sender::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &recipient.key()?,
            &header,
        )
        .map_err(|_| RpcError::Recipient)?;
        out.write_all(&header)?;
        out.write_all(&opener.to_bytes())?;
        Ok(Self {
            out,
            sealing,
            recipient: *recipient,
            digest: Digest::new(&header),
            part: PhantomData,
        })
    }

    /// Adds a part.
    ///
    /// # Errors
    /// `TooLarge` where it passes a limit; the file's.
    pub fn add(&mut self, part: &P) -> Result<(), FileError> {
        let content = part.to_bytes()?;
        if content.len() > FILE_PART_BYTES_MAX {
            return Err(FileError::Part(RpcError::TooLarge {
                what: "part of a file",
                bytes: content.len(),
                limit: FILE_PART_BYTES_MAX,
            }));
        }
        self.digest.add(&content);
        put(&mut self.out, &mut self.sealing, PART, &content)
    }

    /// Signs and ends the file.
    ///
    /// # Errors
    /// The file's.
    pub fn finish(self, by: &SigningKey) -> Result<W, FileError> {
        let Self {
            mut out,
            mut sealing,
            recipient,
            digest,
            ..
        } = self;
        let signature = by.sign_file(P::KIND, &recipient.0, &digest.finish());
        put(&mut out, &mut sealing, END, &signature)?;
        out.flush()?;
        Ok(out)
    }
}

fn put(out: &mut impl Write, sealing: &mut Sealing, mark: u8, content: &[u8]) -> Result<(), FileError> {
    let mut plain = Vec::with_capacity(1 + content.len());
    plain.push(mark);
    plain.extend_from_slice(content);
    let sealed = sealing.seal(&plain, &[]).map_err(|_| RpcError::Damaged)?;
    let length = u32::try_from(sealed.len()).map_err(|_| RpcError::Damaged)?;
    out.write_all(&length.to_be_bytes())?;
    Ok(out.write_all(&sealed)?)
}

/// A file that was read once from end to end: it is whole, and what was signed is known.
pub struct SealedFile<'a, P> {
    path: PathBuf,
    key: &'a SealKey,
    head: P,
    digest: Hash,
    signature: [u8; SIGNATURE_BYTES],
}

impl<'a, P: FilePart> SealedFile<'a, P> {
    /// Reads the file to its end; of its parts only the first is looked into before the signature has been checked.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(path: &Path, key: &'a SealKey) -> Result<Self, FileError> {
        let mut passage = Passage::<P>::begin(path, key)?;
        let first = passage.next()?.ok_or(FileError::Damaged)?;
        let head = P::from_bytes(&first)?;
        while passage.next()?.is_some() {}
        let (digest, signature) = passage.end.ok_or(FileError::Damaged)?;
        Ok(Self {
            path: path.to_owned(),
            key,
            head,
            digest,
            signature,
        })
    }

    /// Its first part. Nobody vouches for it before `check_signature`.
    pub fn head(&self) -> &P {
        &self.head
    }

    /// Checks that this key signed the file, for this reader.
    ///
    /// # Errors
    /// `Signature`.
    pub fn check_signature(&self, by: &VerifyingKey) -> Result<(), FileError> {
        by.verify_file(P::KIND, &self.key.recipient().0, &self.digest, &self.signature)
            .map_err(|_| FileError::Signature)
    }

    /// The parts after the first, one at a time. Ends with `Damaged` where the file is no longer the one that was opened.
    ///
    /// # Errors
    /// The file's.
    pub fn parts(&self) -> Result<Parts<P>, FileError> {
        let mut passage = Passage::begin(&self.path, self.key)?;
        passage.next()?;
        Ok(Parts {
            passage,
            expected: (self.digest, self.signature),
            ended: false,
        })
    }
}

/// The parts of a file behind its head.
pub struct Parts<P> {
    passage: Passage<P>,
    expected: (Hash, [u8; SIGNATURE_BYTES]),
    ended: bool,
}

impl<P: FilePart> Iterator for Parts<P> {
    type Item = Result<P, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let part = match self.passage.next() {
            Ok(Some(bytes)) => P::from_bytes(&bytes).map_err(FileError::Part),
            Ok(None) if self.passage.end == Some(self.expected) => {
                self.ended = true;
                return None;
            }
            Ok(None) => Err(FileError::Damaged),
            Err(error) => Err(error),
        };
        self.ended = part.is_err();
        Some(part)
    }
}

/// One reading of a file.
struct Passage<P> {
    source: BufReader<File>,
    opening: Opening,
    digest: Option<Digest>,
    end: Option<(Hash, [u8; SIGNATURE_BYTES])>,
    part: PhantomData<fn() -> P>,
}

impl<P: FilePart> Passage<P> {
    fn begin(path: &Path, key: &SealKey) -> Result<Self, FileError> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        if bytes > FILE_BYTES_MAX {
            return Err(FileError::TooBig { bytes });
        }
        let mut source = BufReader::new(file);
        let mut found = [0; HEADER_BYTES];
        source
            .read_exact(&mut found)
            .map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => FileError::Foreign,
                _ => FileError::Io(error),
            })?;
        let (name, version, kind) = (&found[..14], found[14], found[15]);
        if name != NAME {
            return Err(FileError::Foreign);
        }
        if version != VERSION {
            return Err(FileError::Newer { version });
        }
        if kind != P::KIND {
            return Err(FileError::OtherKind);
        }
        if found != header(P::KIND, &key.recipient()) {
            return Err(FileError::OtherReader);
        }
        let mut opener = [0; OPENER_BYTES];
        exact(&mut source, &mut opener)?;
        let opener = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(&opener);
        let opening = opener
            .and_then(|opener| hpke::setup_receiver(&OpModeR::Base, key.key(), &opener, &found))
            .map_err(|_| FileError::Damaged)?;
        Ok(Self {
            source,
            opening,
            digest: Some(Digest::new(&found)),
            end: None,
            part: PhantomData,
        })
    }

    /// The next part's bytes; none once the signature was read and nothing stands behind it.
    fn next(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        let Some(digest) = &mut self.digest else {
            return Ok(None);
        };
        let mut length = [0; 4];
        exact(&mut self.source, &mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if !(1 + TAG_BYTES..=1 + TAG_BYTES + FILE_PART_BYTES_MAX).contains(&length) {
            return Err(FileError::Damaged);
        }
        let mut sealed = vec![0; length];
        exact(&mut self.source, &mut sealed)?;
        let plain = self.opening.open(&sealed, &[]).map_err(|_| FileError::Damaged)?;
        match plain.split_first() {
            Some((&PART, content)) => {
                digest.add(content);
                Ok(Some(content.to_vec()))
            }
            Some((&END, content)) => {
                let signature = content.try_into().map_err(|_| FileError::Damaged)?;
                if self.source.read(&mut [0])? > 0 {
                    return Err(FileError::Damaged);
                }
                self.end = self.digest.take().map(|digest| (digest.finish(), signature));
                Ok(None)
            }
            _ => Err(FileError::Damaged),
        }
    }
}

/// A file that ends too early was cut.
fn exact(source: &mut impl Read, bytes: &mut [u8]) -> Result<(), FileError> {
    source.read_exact(bytes).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => FileError::Damaged,
        _ => FileError::Io(error),
    })
}

#[cfg(test)]
mod tests;
