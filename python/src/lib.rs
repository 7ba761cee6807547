//! What Python calls: the command line in-process, and arrays. Everything else is Python's, in `gbmi/`.

use gbmi::cli::{self, Called, Steps};
use gbmi::inspect::Tables;
use gbmi::model::Network;
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use std::any::Any;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often Python may interrupt, and is told how far it is.
const EVERY: Duration = Duration::from_millis(50);

/// A command's end, or what it panicked with.
type Ended = Result<Called, Box<dyn Any + Send>>;

/// Runs a command of gbmi's in another thread, while other threads of Python run: its exit code, stdout and stderr.
/// `on_steps(done, all)` is called now and then. Ctrl-C, or an exception of `on_steps`, stops it.
#[pyfunction]
#[pyo3(signature = (args, on_steps=None))]
fn call(
    py: Python<'_>,
    args: Vec<OsString>,
    on_steps: Option<Bound<'_, PyAny>>,
) -> PyResult<(u8, String, String)> {
    let steps = Arc::new(Steps::default());
    let (end, ended) = channel::<Ended>();
    let watched = steps.clone();
    let command = move || {
        let called = catch_unwind(AssertUnwindSafe(|| cli::call(args, &watched)));
        // Nobody waits for it after a second interrupt.
        let _ = end.send(called);
    };
    std::thread::Builder::new()
        .name("gbmi".into())
        .spawn(command)
        .map_err(|error| PyOSError::new_err(format!("cannot start a thread: {error}")))?;
    let ended = Mutex::new(ended);
    let mut interrupt: Option<PyErr> = None;
    loop {
        let wait = || -> Result<Ended, RecvTimeoutError> {
            let ended: &Receiver<Ended> = &ended.lock().unwrap_or_else(PoisonError::into_inner);
            ended.recv_timeout(EVERY)
        };
        match py.detach(wait) {
            Ok(Ok(Called {
                code,
                stdout,
                stderr,
            })) => {
                return interrupt.map_or(Ok((code, stdout, stderr)), Err);
            }
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => {
                let reason = "gbmi stopped at a fault of its own: please report what you called";
                return Err(interrupt.unwrap_or_else(|| PyRuntimeError::new_err(reason)));
            }
            Err(RecvTimeoutError::Timeout) => {
                let (done, all) = steps.done();
                let looked = py.check_signals().and_then(|()| match &on_steps {
                    Some(on_steps) if interrupt.is_none() => {
                        on_steps.call1((done, all)).map(|_| ())
                    }
                    _ => Ok(()),
                });
                if let Err(error) = looked {
                    if interrupt.is_some() {
                        return Err(error);
                    }
                    steps.stop();
                    interrupt = Some(error);
                }
            }
        }
    }
}

/// What a model is: true and its sizes, task and digest, or false and why it is refused; both as JSON.
#[pyfunction]
fn describe(py: Python<'_>, path: PathBuf) -> (bool, String) {
    let described = py.detach(|| gbmi::kind::load(&path));
    match described {
        Ok(Network {
            task_name,
            task,
            sizes,
            sha256,
            ..
        }) => {
            let described = serde_json::json!({
                "task": task_name,
                "total": task.size().to_string(),
                "n_ctx": sizes.n_ctx,
                "d_vocab": sizes.d_vocab,
                "d_vocab_out": sizes.d_vocab_out,
                "network_sha256": sha256,
            });
            (true, described.to_string())
        }
        Err(refusal) => (false, cli::refusal_json(&refusal).to_string()),
    }
}

/// Writes the files of the model that stands in the program.
#[pyfunction]
fn save_bundled(folder: PathBuf) -> PyResult<()> {
    gbmi::bundled::BUNDLED_FILES
        .iter()
        .try_for_each(|(name, contents)| std::fs::write(folder.join(name), contents))
        .map_err(PyErr::from)
}

/// Writes float32 arrays, contiguous and by name, as a safetensors file.
#[pyfunction]
fn save_tensors(
    path: PathBuf,
    tensors: BTreeMap<String, PyReadonlyArrayDyn<'_, f32>>,
) -> PyResult<()> {
    let mut written = BTreeMap::new();
    for (name, array) in &tensors {
        let entries = array
            .as_slice()
            .map_err(|_| PyValueError::new_err(format!("{name}: expected a contiguous array")))?;
        let bytes: Vec<u8> = entries.iter().flat_map(|x| x.to_le_bytes()).collect();
        written.insert(name, (array.shape().to_vec(), bytes));
    }
    let views = written.iter().map(|(name, (shape, bytes))| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        view.map(|view| (*name, view))
            .map_err(|error| PyValueError::new_err(format!("{name}: {error}")))
    });
    let views = views.collect::<PyResult<BTreeMap<_, _>>>()?;
    safetensors::serialize_to_file(views, None, &path)
        .map_err(|error| PyOSError::new_err(format!("cannot write {}: {error}", path.display())))
}

/// A table of float64.
type Array<'py> = Bound<'py, PyArray2<f64>>;

/// The circuits of a one-layer, one-head network: A (query, key), EV (token, logit) and D (query, logit).
#[pyfunction]
fn circuits(py: Python<'_>, path: PathBuf) -> PyResult<(Array<'_>, Array<'_>, Array<'_>)> {
    let refused = |refusal: gbmi::refusal::Refusal| PyValueError::new_err(refusal.to_string());
    let network = Network::load(&path).map_err(refused)?;
    let tables = Tables::new(&network.one_head().map_err(refused)?);
    let array = |cols: usize, entries: &[f64]| {
        // Theirs stand column by column.
        PyArray1::from_slice(py, entries)
            .reshape([cols, entries.len() / cols.max(1)])?
            .transpose()
    };
    let [a, ev, d] = [tables.a(), tables.ev(), tables.direct().clone()];
    Ok((
        array(a.ncols(), a.as_slice())?,
        array(ev.ncols(), ev.as_slice())?,
        array(d.ncols(), d.as_slice())?,
    ))
}

/// This process's command line, as `gbmi` has it; the exit code.
#[pyfunction]
fn main(py: Python<'_>, args: Vec<OsString>) -> u8 {
    py.detach(|| cli::run(args))
}

#[pymodule]
fn _gbmi(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // What unwinds through here becomes an exception, which says more.
    std::panic::set_hook(Box::new(|_| ()));
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("BUNDLED", gbmi::bundled::BUNDLED)?;
    module.add_function(wrap_pyfunction!(call, module)?)?;
    module.add_function(wrap_pyfunction!(describe, module)?)?;
    module.add_function(wrap_pyfunction!(save_bundled, module)?)?;
    module.add_function(wrap_pyfunction!(save_tensors, module)?)?;
    module.add_function(wrap_pyfunction!(circuits, module)?)?;
    module.add_function(wrap_pyfunction!(main, module)?)
}
