import Synchronization

/// The model of this process: looked for at start, loaded at first use, then kept.
///
/// States: `missing` (no folder has it) ⇄ `found` (not loaded) → `loaded`; `broken` when loading failed. In all but `loaded`
/// the next use looks again, so that installing or repairing the files needs no restart.
package final class ModelHolder: Sendable {
    /// How things stand.
    package enum Status: Sendable, Equatable {
        case missing
        case found(folder: String)
        case broken(folder: String, reason: String)
        case loaded(folder: String)
    }

    private let configured: String?
    private let executable: String
    private let current = Mutex(Status.missing)
    /// Held while loading, hence locked on blocking threads only.
    private let model = Mutex<EmbeddingModel?>(nil)
    private let changed: @Sendable (Status) -> Void

    /// - Parameters:
    ///   - configured: `retrieval.embedder.path`.
    ///   - executable: the running executable's real path.
    ///   - changed: told every new status, on the thread that found it.
    package init(configured: String?, executable: String, changed: @escaping @Sendable (Status) -> Void) {
        self.configured = configured
        self.executable = executable
        self.changed = changed
    }

    /// As last seen.
    package var status: Status { current.withLock { $0 } }

    /// Looks for missing files without loading them. Blocks on the file system.
    package func look() {
        if case .missing = status, let folder = find() { become(.found(folder: folder)) }
    }

    /// The model, loaded if need be. Blocks on the file system.
    /// - Throws: `ModelError` when it is missing or broken.
    package func use() throws -> EmbeddingModel {
        try model.withLock { model in
            if let model { return model }
            let loaded = try load()
            model = loaded
            return loaded
        }
    }

    private func load() throws -> EmbeddingModel {
        guard let folder = find() else {
            become(.missing)
            throw ModelError("the files of \(EmbeddingModel.name) are not installed")
        }
        do {
            let loaded = try EmbeddingModel(folder: folder)
            become(.loaded(folder: folder))
            return loaded
        } catch let error as ModelError {
            become(.broken(folder: folder, reason: error.description))
            throw error
        }
    }

    private func find() -> String? { ModelFolder.find(configured: configured, executable: executable) }

    private func become(_ next: Status) {
        let isNew = current.withLock { current in
            defer { current = next }
            return current != next
        }
        if isNew { changed(next) }
    }
}
