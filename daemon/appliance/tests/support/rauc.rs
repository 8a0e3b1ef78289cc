//! A RAUC that writes nothing: it answers as the real one does (its `src/service.c`), and keeps what it was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use zbus::connection::Builder;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, DBusError, OwnedVariant, Variant, fdo, interface};

use crate::bus::Bus;

/// How it is to behave, and what it was asked.
pub struct Play {
    pub operation: &'static str,
    pub last_error: &'static str,
    pub compatible: &'static str,
    /// Compatible and version of any bundle, or what is wrong with it.
    pub bundle: Result<(&'static str, &'static str), &'static str>,
    /// Before 1.9: there is no `InspectBundle`.
    pub old: bool,
    pub inspect_for: Duration,
    /// Somebody else's installation begins while it inspects.
    pub busy_meanwhile: bool,
    /// Percents that an installation tells, 20 ms after each other.
    pub steps: Vec<i32>,
    /// Of `Completed`; `None`: it says nothing more.
    pub result: Option<i32>,
    pub calls: Vec<String>,
    /// As it was told last.
    pub progress: i32,
}

impl Default for Play {
    fn default() -> Self {
        Self {
            operation: "idle",
            last_error: "",
            compatible: "hookline-x86_64",
            bundle: Ok(("hookline-x86_64", "0.2.0")),
            old: false,
            inspect_for: Duration::ZERO,
            busy_meanwhile: false,
            steps: vec![0, 20, 40, 100],
            result: Some(0),
            calls: Vec::new(),
            progress: 0,
        }
    }
}

#[derive(Clone)]
pub struct Rauc(Arc<Mutex<Play>>);

/// As GLib names what has no name.
#[derive(Debug, DBusError)]
#[zbus(prefix = "org.gtk.GDBus.UnmappedGError.Quark._g_2dio_2derror_2dquark")]
pub enum RaucError {
    Code30(String),
}

impl Rauc {
    /// On the bus as long as the connection that it returns.
    pub async fn serve(bus: &Bus, play: Play) -> (Self, Connection) {
        let rauc = Self(Arc::new(Mutex::new(play)));
        let connection = Builder::address(bus.address.as_str())
            .name("de.pengutronix.rauc")
            .serve_at("/", rauc.clone())
            .build()
            .await
            .expect("a service");
        (rauc, connection)
    }

    pub fn play(&self) -> MutexGuard<'_, Play> {
        self.0.lock().expect("no panic holds it")
    }

    async fn look_at(&self, call: String) -> Result<(&'static str, &'static str), RaucError> {
        let inspect_for = self.play().inspect_for;
        tokio::time::sleep(inspect_for).await;
        let mut play = self.play();
        play.calls.push(call);
        if play.busy_meanwhile {
            play.operation = "installing";
            return Err(RaucError::Code30("already processing a different method".into()));
        }
        play.bundle.map_err(|wrong| RaucError::Code30(wrong.into()))
    }
}

#[interface(name = "de.pengutronix.rauc.Installer")]
impl Rauc {
    async fn inspect_bundle(
        &self,
        source: String,
        _args: HashMap<String, OwnedVariant>,
    ) -> Result<HashMap<String, OwnedVariant>, zbus::BoxDBusError> {
        if self.play().old {
            return Err(Box::new(fdo::Error::UnknownMethod("No such method \"InspectBundle\"".into())));
        }
        let looked = self.look_at(format!("InspectBundle {source}")).await;
        let (compatible, version) = looked.map_err(|error| Box::new(error) as zbus::BoxDBusError)?;
        let texts = [("compatible", compatible), ("version", version)];
        let update: HashMap<String, Variant<'static>> =
            texts.map(|(name, text)| (name.to_owned(), Variant::new(text))).into();
        // A variant in a variant, as RAUC sends it.
        let update = Variant::Variant(Box::new(Variant::new(update)));
        let update = OwnedVariant::try_from(update).expect("no file descriptor is in it");
        Ok(HashMap::from([("update".to_owned(), update)]))
    }

    async fn info(&self, bundle: String) -> Result<(String, String), RaucError> {
        let (compatible, version) = self.look_at(format!("Info {bundle}")).await?;
        Ok((compatible.to_owned(), version.to_owned()))
    }

    fn mark(&self, state: String, slot_identifier: String) -> Result<(String, String), RaucError> {
        let mut play = self.play();
        play.calls.push(format!("Mark {state} {slot_identifier}"));
        match play.last_error {
            "" => Ok(("rootfs.0".to_owned(), "marked slot(s) rootfs.0 as good".to_owned())),
            wrong => Err(RaucError::Code30(wrong.to_owned())),
        }
    }

    fn install_bundle(
        &self,
        source: String,
        args: HashMap<String, OwnedVariant>,
        #[zbus(connection)] connection: &Connection,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) {
        assert!(args.is_empty(), "nothing is passed over by force");
        let (steps, result) = {
            let mut play = self.play();
            play.calls.push(format!("InstallBundle {source}"));
            play.operation = "installing";
            (play.steps.clone(), play.result)
        };
        let (rauc, connection, emitter) = (self.clone(), connection.clone(), emitter.to_owned());
        tokio::spawn(async move {
            let own = connection.object_server().interface::<_, Rauc>("/").await.expect("it is served");
            for percent in steps {
                tokio::time::sleep(Duration::from_millis(20)).await;
                rauc.play().progress = percent;
                let _ = own.get().await.progress_changed(own.signal_emitter()).await;
            }
            if let Some(result) = result {
                // In this order, as the real one.
                let _ = Rauc::completed(&emitter, result).await;
                rauc.play().operation = "idle";
            }
        });
    }

    #[zbus(signal)]
    async fn completed(emitter: &SignalEmitter<'_>, result: i32) -> zbus::Result<()>;

    #[zbus(property)]
    fn operation(&self) -> String {
        self.play().operation.to_owned()
    }

    #[zbus(property)]
    fn last_error(&self) -> String {
        self.play().last_error.to_owned()
    }

    #[zbus(property)]
    fn compatible(&self) -> String {
        self.play().compatible.to_owned()
    }

    #[zbus(property)]
    fn progress(&self) -> (i32, String, i32) {
        (self.play().progress, "Installing".to_owned(), 1)
    }
}
