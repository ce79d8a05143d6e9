import BulkheadConfig

/// The section `credentials.keychain`: how the Secret Service is reached, and what its outage means.
package struct KeychainConfiguration: Sendable, Equatable {
    /// The D-Bus address of the bus it is on; nil: `DBUS_SESSION_BUS_ADDRESS`.
    package var bus: String?
    /// The collection that holds the secrets: `default`, or a collection's name.
    package var collection: String
    /// How often everything is read anew, in case something else changed it.
    package var cacheTTL: Duration
    /// How long what was read last is used while the keyring is down; 0: not at all.
    package var maxStale: Duration

    /// How the Secret Service is reached.
    package init(
        bus: String? = nil, collection: String = "default", cacheTTL: Duration = .seconds(60), maxStale: Duration = .seconds(300)
    ) {
        self.bus = bus
        self.collection = collection
        self.cacheTTL = cacheTTL
        self.maxStale = maxStale
    }

    init(_ section: ConfigSection) {
        self.init(
            bus: section.optionalString("bus"), collection: section.optionalString("collection") ?? "default",
            cacheTTL: section.duration("cache_ttl", default: .seconds(60), in: .seconds(1) ... .seconds(3600)),
            maxStale: section.duration("max_stale", default: .seconds(300), in: .zero ... .seconds(86400)))
        if let bus, !bus.hasPrefix("unix:") {
            section.report("bus", found: bus, expected: "a D-Bus address such as unix:path=/run/bulkhead-credentials/bus")
        }
        if collection.isEmpty || collection.utf8.count > 64 || !collection.utf8.allSatisfy(Self.isNameByte) {
            section.report(
                "collection", found: collection, expected: "default, or a collection's name of letters, digits and '_'")
        }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 48 ... 57, 65 ... 90, 97 ... 122, UInt8(ascii: "_"): true
        default: false
        }
    }

    /// The collection's D-Bus object.
    var collectionPath: String {
        collection == "default" ? "/org/freedesktop/secrets/aliases/default" : "/org/freedesktop/secrets/collection/\(collection)"
    }
}
