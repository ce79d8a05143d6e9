import BulkheadAPI
import BulkheadCore
import BulkheadServiceKit
import BulkheadStore
import Logging

/// The keys of the process: the index, and what keeps it like a store that other suites write to as well.
struct KeyService: Sendable {
    let index: KeyIndex
    /// nil where one process alone writes: the index knows all there is.
    let sharing: KeySharing?
    let lookup: KeyLookup?

    /// Reads all keys. Where suites share a store, one that is away now is read when it is back; until then every key is
    /// looked up, and UNAVAILABLE when it cannot be.
    static func open(_ store: any DurableStore, logger: Logger) async throws -> KeyService {
        guard store.kind == .postgres else {
            return KeyService(index: try await KeyIndex.load(store), sharing: nil, lookup: nil)
        }
        let index = KeyIndex()
        let sharing = KeySharing(index: index, store: store)
        do {
            try await sharing.refresh()
        } catch let error as CallError {
            logger.warning("keys not read yet: each is looked up until they are", metadata: ["error": "\(error)"])
        }
        return KeyService(index: index, sharing: sharing, lookup: KeyLookup(index: index, store: store))
    }

    /// Follows what other suites change, in the background.
    func start(_ context: ServiceContext) {
        guard let sharing else { return }
        context.background("keys of other suites") {
            try await sharing.run(on: context.eventLoop) { error in
                guard let error else { return context.logger.info("keys of other suites are followed again") }
                context.logger.warning(
                    "changes of other suites to keys are not seen at the moment", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Whether the store is to be asked for the request's key first.
    func isUnknown(_ request: SessionAPI.AdmitRequest) -> Bool {
        if let identity = request.identity { return isBlind(to: identity) }
        guard let lookup, let digest = Self.digest(request) else { return false }
        return lookup.isNeeded(for: digest)
    }

    /// Returns when the request's key is known, if there is one.
    /// - Throws: as `KeyLookup.find`; UNAVAILABLE when a token's tenant cannot be known yet.
    func learn(_ request: SessionAPI.AdmitRequest) async throws {
        if let identity = request.identity {
            if isBlind(to: identity) { throw Self.blind }
            return
        }
        guard let lookup, let digest = Self.digest(request) else { return }
        try await lookup.find(digest)
    }

    private static func digest(_ request: SessionAPI.AdmitRequest) -> KeyDigest? {
        request.keyDigest.flatMap { KeyDigest($0.readableBytesView) }
    }
}
