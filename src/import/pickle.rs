//! A pickle of bounded cost: candle's machine, one operation at a time.
//!
//! candle's machine trusts its input. It copies an object whenever the pickle remembers or recalls it, so a few dozen
//! bytes can ask for terabytes; it recurses as deep as objects nest; it allocates what a string's header asks for; and
//! it overflows on long integers. Each of these is stopped here before it happens.

use super::declined;
use crate::refusal::Refusal;
use candle_core::pickle::{Object, Stack};

/// The largest pickle that is read, in bytes; that of a `state_dict` of 14 tensors has 2 kB.
pub(super) const MAX_BYTES: u64 = 1 << 20;
/// How deep objects may nest; a model pickled whole needs about 30.
const MAX_DEPTH: usize = 128;
/// The sum, over all operations, of the size of the object on top of the stack afterwards. Every operation leaves on
/// top what it made or changed, and copies at most that: so this also bounds the memory, to a few hundred megabytes.
const MAX_COST: usize = 1 << 22;

/// The object that a pickle describes. Nothing is executed: calls stay [`Object::Reduce`].
pub(super) fn read(mut pickle: &[u8]) -> Result<Object, Refusal> {
    let malformed = |found: &str| {
        declined(
            "data.pkl",
            "the pickle of a state_dict, as written by torch.save",
            found.into(),
        )
    };
    let mut stack = Stack::empty();
    let mut left = MAX_COST;
    loop {
        match *pickle {
            [b'X', a, b, c, d, ref text @ ..]
                if usize::try_from(u32::from_le_bytes([a, b, c, d]))
                    .map_or(true, |len| len > text.len()) =>
            {
                return Err(malformed("a string that is longer than the file"));
            }
            [0x8a, len, ..] if len > 8 => return Err(malformed("an integer of more than 64 bits")),
            _ => {}
        }
        let done = stack
            .read(&mut pickle)
            .map_err(|error| malformed(&short(&error.to_string())))?;
        if let Some(top) = stack.stack().last() {
            left = spend(top, MAX_DEPTH, left)
                .ok_or_else(|| malformed("objects too large or too deeply nested"))?;
        }
        if done {
            return stack
                .finalize()
                .map_err(|error| malformed(&short(&error.to_string())));
        }
    }
}

/// What is left of a budget after paying for this object: one for it and each of its parts, and the length of strings.
fn spend(object: &Object, depth: usize, left: usize) -> Option<usize> {
    let depth = depth.checked_sub(1)?;
    let mut left = left.checked_sub(1)?;
    match object {
        Object::Class {
            module_name,
            class_name,
        } => left.checked_sub(module_name.len().checked_add(class_name.len())?),
        Object::Unicode(text) => left.checked_sub(text.len()),
        Object::Tuple(parts) | Object::List(parts) => {
            for part in parts {
                left = spend(part, depth, left)?;
            }
            Some(left)
        }
        Object::Dict(entries) => {
            for (key, value) in entries {
                left = spend(value, depth, spend(key, depth, left)?)?;
            }
            Some(left)
        }
        Object::Reduce { callable, args } | Object::Build { callable, args } => {
            spend(args, depth, spend(callable, depth, left)?)
        }
        Object::PersistentLoad(id) => spend(id, depth, left),
        Object::Int(_)
        | Object::Long(_)
        | Object::Float(_)
        | Object::Bool(_)
        | Object::None
        | Object::Mark => Some(left),
    }
}

/// The beginning of a text that the file's author chose, for a message of one line.
pub(super) fn short(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(120)
        .collect();
    if line.len() < text.len() {
        format!("{line}…")
    } else {
        line
    }
}
