import BulkheadCore
import BulkheadServiceKit

// What orchestrators mount.
extension CredentialsDaemon {
    /// Brings in what `import_dir` holds and was not taken from there before.
    func importSecrets() async throws {
        guard let folder = inForce.withLock({ $0.configuration.importFolder }), case .open(let known) = store.state else {
            return
        }
        let read: (found: [(name: String, value: [UInt8])], problems: [String])
        do {
            read = try await context.blocking { try SecretImport.read(folder) }
        } catch let error as CallError {
            return context.logger.error("secrets were not imported", metadata: ["reason": "\(error.message)"])
        }
        for problem in read.problems { context.logger.warning("a secret was not imported", metadata: ["reason": "\(problem)"]) }
        for (name, value) in read.found {
            do {
                try await take(value, named: name, over: known[name])
            } catch let error as CallError {
                context.logger.warning(
                    "a secret was not imported", metadata: ["secret": "\(name)", "reason": "\(error.message)"])
            }
        }
    }

    /// A file that was taken once is not taken again while it stays as it is: whatever an operator did since then holds.
    private func take(_ value: [UInt8], named name: String, over known: StoredSecret?) async throws {
        if let known {
            if let mark = known.life.imported {
                if mark.fits(value) { return }
            } else if known.policy.revoked > 0 {
                return
            } else if known.value.withBytes({ $0.elementsEqual(value) }) {
                let mark = ImportMark(value)
                return try await change("import", name) { $0[name]?.life.imported = mark }
            }
        }
        let command = SecretCommand(name: name, value: String(decoding: value, as: UTF8.self))
        _ = try await store(command, event: "import", mark: ImportMark(value))
    }
}
