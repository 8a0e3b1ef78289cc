//! Names of the people behind numbers and ports, for lists that the catalog does not make.

use std::collections::{BTreeMap, HashMap};

use catalog::Scope;
use station::PortLive;

use crate::app::App;
use crate::problem::Problem;

/// Names by number, and of the users of ports.
#[derive(Clone, Debug, Default)]
pub struct Names {
    of_numbers: HashMap<String, String>,
    of_ports: BTreeMap<u16, String>,
}

impl Names {
    /// Those behind the peer numbers of these ports of the box, and the users of all its ports.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub async fn of_ports(app: &App, ports: &[PortLive]) -> Result<Self, Problem> {
        let numbers: Vec<String> = ports.iter().filter_map(|port| port.peer_number.clone()).collect();
        let find = move |app: &App| {
            let (everybody, serial) = (Scope::everything(), app.served.info().serial);
            let mut names = Self::default();
            for number in numbers {
                if let Some(name) = app.catalog().name_of_number(&everybody, &number)? {
                    names.of_numbers.insert(number, name);
                }
            }
            names.of_ports = app.catalog().names_of_ports(&everybody, &serial)?;
            Ok(names)
        };
        app.blocking(find).await
    }

    pub fn name_of(&self, number: Option<&str>) -> Option<&str> {
        self.of_numbers.get(number?).map(String::as_str)
    }

    /// The user of a port.
    pub fn user_of(&self, port: u16) -> Option<&str> {
        self.of_ports.get(&port).map(String::as_str)
    }
}
