//! A model that runs in this process: from its file to a [`Planner`].
//!
//! It loads, checks requests, and puts the parts together; it must not know what the calls are for.
//!
//! Threads: a small model computes on one, see `thread` and [`crate::ENVIRONMENT`].

use std::fs::File;
use std::io::SeekFrom;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::arch::{Design, Network, Pointers, Sense};
use crate::error::{Fault, ModelError};
use crate::gguf::{self, Gguf, Source, Value};
use crate::json::Writer;
use crate::prompt::Prompt;
use crate::sample::{Chooser, Shortcuts};
use crate::session::{Sequence, Sessions};
use crate::snapshot::Snapshots;
use crate::thread::unsplit;
use crate::tokenizer::Tokenizer;
use crate::weights::{Chance, Origin, WeightError, Weights};
use crate::{PlanReply, PlanRequest, Planner, control, processor};

/// The file of the model in the box.
#[cfg(feature = "embedded-model")]
pub static IN_THE_BOX: &[u8] = include_bytes!("../default/llmos-tiny.gguf");

#[cfg(test)]
mod parity;
#[cfg(test)]
mod tests;

/// What `llmos model show` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// `general.name` of the file, or the path where it has none.
    pub name: String,
    /// `general.architecture`.
    pub architecture: String,
    /// Number of weights.
    pub parameters: u64,
    /// Storage type of most weights, such as `Q8_0`.
    pub quantisation: String,
    /// Tokens that fit in one sequence.
    pub context_max: usize,
    /// Number of tokens known.
    pub vocabulary: usize,
    /// Whether it was made to plan; others do so by writing JSON.
    pub plans: bool,
    /// Size of the file.
    pub file_bytes: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub digest: String,
}

/// How a model plans.
#[derive(Debug)]
enum Way {
    /// In the plan language that it was made for.
    Points {
        pointers: Pointers,
        sense: Sense,
        /// Added to the score of doing nothing at all.
        caution: f32,
    },
    /// In JSON, as it was not made for planning.
    Writes(Writer),
}

impl Way {
    fn pointers(&self) -> Option<&Pointers> {
        match self {
            Self::Points { pointers, .. } => Some(pointers),
            Self::Writes(_) => None,
        }
    }
}

/// A model that runs in this process.
#[derive(Debug)]
pub struct LocalModel {
    info: ModelInfo,
    tokenizer: Tokenizer,
    network: Network,
    planner: Way,
    sessions: Sessions,
    shortcuts: Shortcuts,
    snapshots: Option<Snapshots>,
    /// What tells these weights from all others.
    weights: String,
}

impl LocalModel {
    /// Loads a GGUF file and warms it up.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        Self::from_path(path, Origin::File)
    }

    /// Loads the model in the box and warms it up.
    pub fn embedded() -> Result<Self, ModelError> {
        Self::from_box(Origin::File)
    }

    /// The model of `path`, or the one in the box, with random weights of the same shapes: the control that shows that
    /// the network plans, and not the code around it.
    pub fn randomised(path: Option<&Path>, seed: u64) -> Result<Self, ModelError> {
        let origin = Origin::Random(Chance::new(seed));
        path.map_or_else(|| Self::from_box(origin), |path| Self::from_path(path, origin))
    }

    /// What was loaded.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The natural log-probability of each token after the first, given those before it.
    pub fn score(&mut self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        self.check_tokens(tokens, 2)?;
        let network = &self.network;
        on_threads(self.info.file_bytes, || scores(network, tokens))
    }

    /// Sends tokens through the network, so many at a time, and forgets them: work without a result, for measuring.
    ///
    /// # Errors
    /// When they do not fit the model.
    pub fn compute(&mut self, tokens: &[u32], at_once: usize) -> Result<(), ModelError> {
        self.check_tokens(tokens, 1)?;
        let network = &self.network;
        on_threads(self.info.file_bytes, || {
            let mut cache = network.cache();
            let mut pieces = tokens.chunks(at_once.max(1));
            pieces.try_for_each(|piece| network.forward(piece, &mut cache).map(drop))
        })
    }

    /// The tokens of a text, as [`LocalModel::score`] takes them.
    pub fn tokenize(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        Ok(self.tokenizer.encode(text)?.iter().map(|token| token.id).collect())
    }

    /// Keeps the state of tool lists in this folder too, for the next process. At most 128 MiB are used; what cannot be
    /// read or written there is computed and logged.
    pub fn keep_snapshots(&mut self, folder: PathBuf) {
        self.snapshots = Some(Snapshots::new(folder, self.weights.clone()));
    }

    /// Takes shortcuts away or gives them back; the plans stay the same, only their cost changes.
    pub fn set_shortcuts(&mut self, shortcuts: Shortcuts) {
        self.shortcuts = shortcuts;
    }

    /// Forgets the tool lists of earlier requests.
    pub fn forget(&mut self) {
        self.sessions.clear();
    }

    /// Whether tokens are known, enough, and fit the context.
    fn check_tokens(&self, tokens: &[u32], least: usize) -> Result<(), ModelError> {
        let dimensions = self.network.dimensions();
        let vocabulary = dimensions.vocabulary;
        let bad = |reason: String| Err(ModelError::BadTokens { reason, vocabulary });
        if tokens.len() < least {
            return bad(format!("there are {}", tokens.len()));
        }
        if let Some(unknown) = tokens
            .iter()
            .find(|token| !usize::try_from(**token).is_ok_and(|id| id < vocabulary))
        {
            return bad(format!("{unknown} is not in the vocabulary"));
        }
        let context_max = dimensions.context_max;
        if tokens.len() > context_max {
            return Err(ModelError::ContextOverflow {
                what: "the text",
                needed: tokens.len(),
                context_max,
            });
        }
        Ok(())
    }

    fn from_path(path: &Path, origin: Origin) -> Result<Self, ModelError> {
        let name = path.display().to_string();
        let unreadable = |source| ModelError::Read {
            path: name.clone(),
            source,
        };
        // Asked before opening, since opening a pipe would wait for its writer.
        let metadata = std::fs::metadata(path).map_err(unreadable)?;
        if !metadata.is_file() {
            let found = if metadata.is_dir() {
                "a directory"
            } else {
                "a pipe, socket or device"
            };
            return Err(ModelError::NotAFile { path: name, found });
        }
        let mut file = File::open(path).map_err(unreadable)?;
        Self::load(&mut file, &name, origin)
    }

    #[cfg(feature = "embedded-model")]
    fn from_box(origin: Origin) -> Result<Self, ModelError> {
        Self::load(&mut std::io::Cursor::new(IN_THE_BOX), "in the box", origin)
    }

    #[cfg(not(feature = "embedded-model"))]
    fn from_box(_: Origin) -> Result<Self, ModelError> {
        Err(ModelError::NotEmbedded)
    }

    fn load(source: &mut dyn Source, path: &str, origin: Origin) -> Result<Self, ModelError> {
        let origin = match origin {
            Origin::File if !processor::multiplies_quantised() => Origin::Plain,
            origin => origin,
        };
        let malformed = |fault: Fault| ModelError::Malformed {
            path: path.to_owned(),
            fault,
        };
        let unusable = |error: WeightError| match error {
            WeightError::Fault(fault) => malformed(fault),
            WeightError::Model(error) => error,
        };
        let gguf = Gguf::preflight(source).map_err(malformed)?;
        // All that the header can say is checked before anything large is built or read.
        let design = Design::read(&gguf).map_err(malformed)?;
        let vocabulary = gguf.texts("tokenizer.ggml.tokens").map_err(malformed)?;
        if vocabulary.len() > design.rows() {
            let expected = format!("at most the {} rows of token_embd.weight", design.rows());
            let found = vocabulary.len().to_string();
            return Err(malformed(Fault::new("tokenizer.ggml.tokens", expected, found)));
        }
        let tokenizer = Tokenizer::load(&gguf).map_err(malformed)?;
        let (digest, file_bytes) = digest(source).map_err(|error| ModelError::Read {
            path: path.to_owned(),
            source: error,
        })?;
        let mut weights = Weights {
            gguf: &gguf,
            source,
            origin,
        };
        let network = Network::load(design, &mut weights).map_err(unusable)?;
        let dimensions = network.dimensions();
        let planner = if gguf.value("llmos.format").is_some() {
            check_format(&gguf, vocabulary).map_err(malformed)?;
            let pointers = Pointers::load(&mut weights, dimensions.width).map_err(unusable)?;
            let sense = Sense::load(&mut weights, dimensions.vocabulary, pointers.size()).map_err(unusable)?;
            let caution = caution(&gguf).map_err(malformed)?;
            Way::Points {
                pointers,
                sense,
                caution,
            }
        } else {
            Way::Writes(Writer::new(vocabulary, dimensions.vocabulary))
        };
        let info = describe(
            &gguf,
            &network,
            planner.pointers().is_some(),
            path,
            file_bytes,
            digest.clone(),
        );
        let model = Self {
            info,
            tokenizer,
            network,
            planner,
            sessions: Sessions::default(),
            shortcuts: Shortcuts::default(),
            snapshots: None,
            weights: format!("{digest} {origin:?}"),
        };
        model.warm_up()?;
        Ok(model)
    }

    /// Sends a few tokens through, since the tensor library rearranges a matrix at its first product.
    fn warm_up(&self) -> Result<(), ModelError> {
        let tokens = [0; 2];
        let (network, planner) = (&self.network, &self.planner);
        on_threads(self.info.file_bytes, || {
            let mut hidden = network.forward(&tokens, &mut network.cache())?;
            match planner {
                Way::Points { pointers, .. } => pointers.forward(&mut hidden).map(drop),
                Way::Writes(_) => network.logits(hidden).map(drop),
            }
        })
    }
}

/// Scores differ by less where anything is doubtful.
const CAUTION_MAX: f64 = 20.0;
/// Logits in memory at once while scoring.
const LOGITS_MAX: usize = 1 << 21;

/// The log-probability of each token after the first.
fn scores(network: &Network, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
    let (width, vocabulary) = (network.dimensions().width, network.dimensions().vocabulary);
    let hidden = network.forward(tokens, &mut network.cache())?;
    let rows = (LOGITS_MAX / vocabulary).max(1);
    let mut scores = Vec::with_capacity(tokens.len().saturating_sub(1));
    for (states, next) in hidden.chunks(rows * width).zip(tokens[1..].chunks(rows)) {
        let logits = network.logits(states.to_vec())?;
        scores.extend(
            logits
                .chunks_exact(vocabulary)
                .zip(next)
                .map(|(row, token)| log_share(row, *token)),
        );
    }
    // The kernels round a state that is not a number to one that is, so the states are looked at, too.
    if hidden.iter().chain(&scores).any(|number| !number.is_finite()) {
        return Err(ModelError::NotFinite {
            choosing: "the probability of a token",
        });
    }
    Ok(scores)
}

/// Larger files have products that are worth splitting over threads.
const UNSPLIT_BYTES_MAX: u64 = 64 << 20;

fn on_threads<T: Send>(file_bytes: u64, work: impl FnOnce() -> Result<T, ModelError> + Send) -> Result<T, ModelError> {
    if file_bytes <= UNSPLIT_BYTES_MAX {
        unsplit(work)
    } else {
        work()
    }
}

/// The log of a token's share of the softmax over a row, summed in f64.
fn log_share(logits: &[f32], token: u32) -> f32 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - max).exp()).sum();
    let chosen = usize::try_from(token)
        .ok()
        .and_then(|token| logits.get(token))
        .copied()
        .unwrap_or(f32::NAN);
    #[expect(clippy::cast_possible_truncation, reason = "a score is an f32")]
    let score = (f64::from(chosen - max) - sum.ln()) as f32;
    score
}

/// How much a file leans towards doing nothing; not at all where it does not say.
fn caution(gguf: &Gguf) -> Result<f32, Fault> {
    let key = "llmos.caution";
    if gguf.value(key).is_none() {
        return Ok(0.0);
    }
    #[expect(clippy::cast_possible_truncation, reason = "written as an f32")]
    let caution = gguf.positive_float(key, CAUTION_MAX)? as f32;
    Ok(caution)
}

/// Whether a file speaks the plan language of this program.
fn check_format(gguf: &Gguf, vocabulary: &[String]) -> Result<(), Fault> {
    let key = "llmos.format";
    let spoken = Value::Unsigned(control::FORMAT);
    match gguf.value(key) {
        Some(found) if *found == spoken => {}
        found => {
            let found = match found {
                Some(Value::Unsigned(number)) => number.to_string(),
                _ => "no whole number".into(),
            };
            return Err(Fault::new(
                key,
                format!("{}, which this program speaks", control::FORMAT),
                found,
            ));
        }
    }
    match control::misspelled(vocabulary) {
        Some(name) => Err(Fault::new(
            "tokenizer.ggml.tokens",
            format!("the control token {name} at its place"),
            "another",
        )),
        None => Ok(()),
    }
}

fn describe(gguf: &Gguf, network: &Network, plans: bool, path: &str, file_bytes: u64, digest: String) -> ModelInfo {
    let elements = |tensor: &gguf::Tensor| tensor.dimensions.iter().product::<usize>() as u64;
    let largest = gguf.tensors().values().max_by_key(|tensor| {
        let alike = gguf.tensors().values().filter(|other| other.dtype == tensor.dtype);
        alike.map(elements).sum::<u64>()
    });
    ModelInfo {
        name: gguf.text("general.name").unwrap_or(path).to_owned(),
        architecture: gguf.text("general.architecture").unwrap_or_default().to_owned(),
        parameters: gguf.tensors().values().map(elements).sum(),
        quantisation: largest
            .map_or("none", |tensor| gguf::dtype_name(tensor.dtype))
            .to_owned(),
        context_max: network.dimensions().context_max,
        vocabulary: network.dimensions().vocabulary,
        plans,
        file_bytes,
        digest,
    }
}

fn digest(source: &mut dyn Source) -> std::io::Result<(String, u64)> {
    source.seek(SeekFrom::Start(0))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut total = 0;
    loop {
        let count = source.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
        total += count as u64;
    }
    Ok((hexadecimal(&hash.finalize()), total))
}

/// Bytes as people compare them.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl Planner for LocalModel {
    fn plan(&mut self, request: &PlanRequest<'_>) -> Result<PlanReply, ModelError> {
        check(request, &self.planner)?;
        let shortcuts = self.shortcuts;
        if !shortcuts.kept_prefix {
            self.sessions.clear();
        }
        let (network, tokenizer) = (&self.network, &self.tokenizer);
        let mut desk = Desk {
            network,
            pointers: self.planner.pointers(),
            sessions: &mut self.sessions,
            snapshots: self.snapshots.as_ref().filter(|_| shortcuts.kept_prefix),
            file_bytes: self.info.file_bytes,
        };
        match &self.planner {
            Way::Points {
                pointers,
                sense,
                caution,
            } => {
                let prompt = Prompt::write(request, tokenizer)?;
                let chooser = Chooser {
                    network,
                    pointers,
                    sense,
                    caution: *caution,
                    shortcuts,
                };
                desk.work(&prompt.tokens, prompt.tools_end, |sequence| {
                    chooser.plan(request, &prompt, sequence)
                })
            }
            Way::Writes(writer) => {
                let text = writer.prompt(request, tokenizer)?;
                desk.work(&text.tokens, text.tools_end, |sequence| {
                    writer.plan(network, tokenizer, request, &text, sequence, shortcuts)
                })
            }
        }
    }
}

/// What stays between goals.
struct Desk<'a> {
    network: &'a Network,
    pointers: Option<&'a Pointers>,
    sessions: &'a mut Sessions,
    snapshots: Option<&'a Snapshots>,
    file_bytes: u64,
}

impl Desk<'_> {
    /// Plans behind as much of a prompt as is known already, and keeps what was computed.
    fn work(
        &mut self,
        prompt: &[u32],
        tools_end: usize,
        plan: impl FnOnce(&mut Sequence) -> Result<PlanReply, ModelError> + Send,
    ) -> Result<PlanReply, ModelError> {
        let context_max = self.network.dimensions().context_max;
        if prompt.len() > context_max {
            return Err(ModelError::ContextOverflow {
                what: "the prompt",
                needed: prompt.len(),
                context_max,
            });
        }
        let Self {
            network,
            pointers,
            sessions,
            snapshots,
            file_bytes,
        } = self;
        on_threads(*file_bytes, || {
            let mut sequence = sessions.resume(network, *pointers, prompt, tools_end, *snapshots);
            let cached = sequence.len();
            let reply = plan(&mut sequence)?;
            if cached < tools_end && sequence.len() >= tools_end {
                snapshots.inspect(|saved| saved.save(&sequence, tools_end));
            }
            sessions.keep(sequence);
            Ok(reply)
        })
    }
}

fn check(request: &PlanRequest<'_>, planner: &Way) -> Result<(), ModelError> {
    if planner.pointers().is_some() && request.tools.len() > control::TOOLS_MAX {
        return Err(ModelError::TooManyTools {
            found: request.tools.len(),
            max: control::TOOLS_MAX,
        });
    }
    for span in request.spans {
        let (start, end) = (span.start, span.end);
        if start >= end || request.goal.get(start..end).is_none() {
            return Err(ModelError::BadSpan {
                what: "the goal",
                start,
                end,
                bytes: request.goal.len(),
            });
        }
    }
    Ok(())
}
