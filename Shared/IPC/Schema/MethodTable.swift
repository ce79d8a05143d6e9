import BulkheadCore

/// The methods of a peer as one connection sees them: which it serves, under which id, and whether both sides mean the same.
struct MethodTable {
    /// What a method of the caller's schema is on this connection.
    enum Lookup {
        case id(UInt16)
        case unimplemented(CallError)
    }

    private struct Offer {
        let id: UInt16
        let entry: IPCMessages.MethodEntry
        /// The caller's version of the method that fits, though it is another.
        var fitting: MethodDescriptor?
        /// Why the caller's version does not fit.
        var problem = "another version of its messages"

        func fits(_ method: MethodDescriptor) -> Bool {
            fitting.map { $0.requestHash == method.requestHash && $0.responseHash == method.responseHash } ?? false
        }
    }

    private let service: String
    private let schemas: [ServiceSchema]
    private var offers: [String: Offer] = [:]

    init() {
        service = ""
        schemas = []
    }

    init(_ hello: Hello, _ schemas: [ServiceSchema]) {
        service = hello.service
        self.schemas = schemas
        for (index, entry) in hello.methods.enumerated() {
            offers[entry.name] = Offer(id: UInt16(truncatingIfNeeded: index), entry: entry)
        }
        let forms = Dictionary(hello.forms.map { ($0.name, ServiceSchema($0)) }) { first, _ in first }
        for schema in schemas {
            for method in schema.methods { compare(method, schema, forms[schema.name]) }
        }
    }

    private mutating func compare(_ method: MethodDescriptor, _ mine: ServiceSchema, _ theirs: ServiceSchema?) {
        guard var offer = offers[method.name], !offer.entry.agrees(with: method), let theirs else { return }
        if let problem = SchemaComparison.problem(method.name, mine: mine, theirs: theirs) {
            offer.problem = problem
        } else {
            offer.fitting = method
        }
        offers[method.name] = offer
    }

    func lookup(_ method: MethodDescriptor) -> Lookup {
        guard let offer = offers[method.name] else {
            return .unimplemented(
                CallError(
                    .unimplemented, reason: "unknown_method", message: "\(service) does not offer \(method.name); update it",
                    notProcessed: true))
        }
        guard offer.entry.agrees(with: method) || offer.fits(method) else {
            return .unimplemented(
                CallError(
                    .unimplemented, reason: "schema_skew",
                    message: "\(service) has \(method.name) in a version that does not fit (\(offer.problem)); "
                        + "run the same release on both sides",
                    notProcessed: true))
        }
        return .id(offer.id)
    }

    /// The caller's methods, in the order of its schemas.
    var report: [LinkMethod] {
        schemas.flatMap(\.methods).map { method in
            LinkMethod(
                name: method.name, shape: "\(method.shape)", methodClass: "\(method.methodClass)", id: offers[method.name]?.id,
                version: version(method), problem: version(method) == .skewed ? offers[method.name]?.problem : nil)
        }
    }

    private func version(_ method: MethodDescriptor) -> LinkMethod.Version {
        guard let offer = offers[method.name] else { return .missing }
        if offer.entry.agrees(with: method) { return .same }
        return offer.fits(method) ? .compatible : .skewed
    }
}

/// A method of a link as the two ends negotiated it.
package struct LinkMethod: Sendable, Codable, Equatable {
    /// How the peer's version of the method relates to this process's.
    package enum Version: String, Sendable, Codable {
        case same
        /// Fields were added or removed; calls go through.
        case compatible
        /// Calls fail with UNIMPLEMENTED, `schema_skew`.
        case skewed
        /// The peer does not serve it.
        case missing
    }

    /// `Service.Method`.
    package let name: String
    /// unary | clientStream | serverStream | bidirectional
    package let shape: String
    /// control | unary | stream
    package let methodClass: String
    /// Its number on this connection; nil when missing.
    package let id: UInt16?
    package let version: Version
    /// Why it is skewed.
    package let problem: String?
}

extension IPCMessages.MethodEntry {
    init(_ method: MethodDescriptor) {
        self.init(
            name: method.name, requestHash: method.requestHash, responseHash: method.responseHash,
            shape: UInt32(method.shape.rawValue))
    }

    /// Both ends mean the same messages and the same kind of call.
    func agrees(with method: MethodDescriptor) -> Bool {
        requestHash == method.requestHash && responseHash == method.responseHash && shape == UInt32(method.shape.rawValue)
    }
}
