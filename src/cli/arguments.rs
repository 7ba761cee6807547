//! Arguments that several commands take: which model, and numbers that are large.

use std::path::{Path, PathBuf};

/// The model that a command is about, by its place or by name.
#[derive(clap::Args)]
pub(crate) struct Named {
    /// The model: a folder with model.safetensors and config.json, or the safetensors file [default: the bundled max_of_4_seed123]
    #[arg(value_name = "MODEL")]
    model: Option<PathBuf>,
    /// The same, by name
    #[arg(long = "model", value_name = "MODEL", conflicts_with = "model")]
    path: Option<PathBuf>,
}

impl Named {
    /// What was named, if anything.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.model.as_deref().or(self.path.as_deref())
    }
}

/// [`Named`], of a command about a certificate.
pub(crate) fn of_certificate(model: clap::Arg) -> clap::Arg {
    model.help(
        "The model: a folder with model.safetensors and config.json, or the safetensors file [default: the bundled \
         max_of_4_seed123 if the certificate is about it, else the one that the certificate suggests]",
    )
}

/// `--quiet` of a command whose result is not a verdict.
#[cfg(feature = "inspect")]
pub(crate) fn no_progress(quiet: clap::Arg) -> clap::Arg {
    quiet.help("No progress")
}

/// A natural number, exactly: digits, or a decimal with k, M or G.
pub(crate) fn natural<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let expected = || "expected a number such as 1280000, 1280k or 1.28M".to_string();
    let suffixes = [('k', 3), ('M', 6), ('G', 9)];
    let suffixed = suffixes
        .iter()
        .find_map(|(suffix, zeros)| Some((text.strip_suffix(*suffix)?, *zeros)));
    let (number, zeros) = suffixed.unwrap_or((text, 0));
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let left = part.trim_end_matches('0');
    if !digits(whole) || !digits(part) || left.len() > zeros || number.contains('.') && zeros == 0 {
        return Err(expected());
    }
    let number: u64 = format!("{whole}{left:0<zeros$}")
        .parse()
        .map_err(|_| expected())?;
    T::try_from(number).map_err(|_| format!("{number} is too large here"))
}

/// A [`natural`] from 1.
#[cfg(feature = "train")]
pub(crate) fn positive<T: TryFrom<u64> + Default + PartialEq>(text: &str) -> Result<T, String> {
    let number = natural(text)?;
    if number == T::default() {
        return Err("expected a number from 1".into());
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::natural;

    #[test]
    fn counts_are_read_exactly() {
        let read = [
            ("0", 0),
            ("1280000", 1_280_000),
            ("1.28M", 1_280_000),
            ("12k", 12_000),
            ("0.0000000010G", 1),
        ];
        for (text, number) in read {
            assert_eq!(natural(text), Ok(number), "{text}");
        }
        for text in [
            "",
            "M",
            ".5M",
            "1.M",
            "1.0",
            "1.2345k",
            "1e6",
            "1_000",
            "1,000",
            "-1",
            "+1",
            "1m",
            "1 M",
            "99999999999G",
        ] {
            assert!(natural::<u64>(text).is_err(), "{text}");
        }
        assert_eq!(natural("255"), Ok(255_u8));
        assert_eq!(natural::<u8>("1k"), Err("1000 is too large here".into()));
    }
}
