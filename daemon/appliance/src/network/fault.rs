//! What can be wrong with settings of the network: a stable code for pages, and a sentence each.

macro_rules! faults {
    ($($variant:ident = $code:literal $sentence:literal),+ $(,)?) => {
        /// One thing that is wrong, at one member.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault { $($variant),+ }

        impl Fault {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As in the contract.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// What has to be otherwise.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence),+ }
            }
        }
    };
}

faults! {
    TooMany = "too_many" "at most 32 interfaces and VLANs can be set",
    InterfaceUnknown = "interface_unknown" "the box has no such network interface",
    InterfaceTwice = "interface_twice" "this interface, or this VLAN of it, stands here twice",
    VlanRange = "vlan_range" "a VLAN has a number from 1 to 4094",
    VlanAlone = "vlan_alone" "the interface that carries this VLAN needs settings of its own; its IPv4 and IPv6 may be off",
    VlanNameLong = "vlan_name_long" "the name of this interface is too long to carry a VLAN; use another one",
    AddressMalformed = "address_malformed" "an address is needed with the length of its prefix, such as 192.168.1.20/24 or 2001:db8::20/64",
    AddressSpecial = "address_special" "this address cannot be that of an interface: it is a multicast, loopback, link-local or reserved one",
    AddressIsNet = "address_is_net" "this is the address of the net itself; give the box one within it",
    AddressIsBroadcast = "address_is_broadcast" "this is the broadcast address of the net; give the box another one",
    PrefixRange = "prefix_range" "a prefix has a length from 1 to 31, with IPv6 from 1 to 127",
    GatewayMalformed = "gateway_malformed" "a gateway is an address without a prefix, of the same kind as the interface's",
    GatewayOutside = "gateway_outside" "the gateway lies outside the interface's own net and could never be reached",
    GatewayIsSelf = "gateway_is_self" "the gateway is the box itself",
    GatewaySpecial = "gateway_special" "this is the address of the net, its broadcast address, or a multicast one; none of them is a gateway",
    GatewayTwice = "gateway_twice" "another interface has a gateway already; the box can have one for IPv4 and one for IPv6",
    NetsOverlap = "nets_overlap" "this net overlaps that of another interface; the box would not know where to send",
    DnsMalformed = "dns_malformed" "a name server is given by its address",
    DnsSpecial = "dns_special" "there is no name server at such an address",
    DnsTwice = "dns_twice" "this name server stands here twice",
    DnsTooMany = "dns_too_many" "at most 3 name servers",
    MtuRange = "mtu_range" "an MTU has 576 to 9216 bytes, with IPv6 at least 1280, with PPPoE at most 1492",
    MtuAbovePort = "mtu_above_port" "the MTU of a VLAN is at most that of the interface which carries it",
    UserMalformed = "user_malformed" "the provider's account has 1 to 128 characters",
    PasswordMalformed = "password_malformed" "the provider's password has 1 to 128 characters",
    PasswordMissing = "password_missing" "the provider's password is missing",
    ServiceMalformed = "service_malformed" "the provider's service has 1 to 128 characters",
    Ipv6WithPppoe = "ipv6_with_pppoe" "beside PPPoE an interface has no IPv6 address of its own: choose automatic or off",
    NoWayLeft = "no_way_left" "no interface would have an address, and nobody could reach the box any more",
}
