//! The options of `waterwatch check-config`.

use std::path::PathBuf;

use clap::Args;

/// Options of `waterwatch check-config`.
#[derive(Debug, Args)]
pub struct CheckConfigOptions {
    /// The configuration file
    #[arg(
        env = "WATERWATCH_CONFIG",
        default_value = "/etc/waterwatch/waterwatch.toml",
        value_name = "FILE",
        value_hint = clap::ValueHint::FilePath
    )]
    pub file: PathBuf,
    /// Print JSON instead of sentences
    #[arg(long)]
    pub json: bool,
}
