//! Names of the people behind numbers, for lists that the catalog does not make.

use std::collections::HashMap;

use station::PortLive;

use crate::app::App;
use crate::problem::Problem;

/// Names by number.
#[derive(Clone, Debug, Default)]
pub struct Names(HashMap<String, String>);

impl Names {
    /// Those behind the peer numbers of these ports.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub async fn of_ports(app: &App, ports: &[PortLive]) -> Result<Self, Problem> {
        let numbers: Vec<String> = ports.iter().filter_map(|port| port.peer_number.clone()).collect();
        if numbers.is_empty() {
            return Ok(Self::default());
        }
        let find = move |app: &App| {
            let mut names = HashMap::new();
            for number in numbers {
                if let Some(contact) = app.catalog().contact(&number)? {
                    names.insert(number, contact.name);
                }
            }
            Ok(Self(names))
        };
        app.blocking(find).await
    }

    pub fn name_of(&self, number: Option<&str>) -> Option<&str> {
        self.0.get(number?).map(String::as_str)
    }
}
