import BulkheadConfig

/// Settings that are read and that this version does not do: the start refuses them, and `check` says so before.
package enum UnbuiltSettings {
    static let encryption = "session.encryption.key_file"
    static let advice = "sealing at rest comes in a later part; remove it, or keep the state folder on an encrypted disk"

    /// Blocks on the file.
    package static func problems(_ path: String) -> [ConfigProblem] {
        guard let loaded = try? loadConfiguration(SessionConfiguration.self, path: path),
            let file = loaded.service.encryptionKeyFile
        else { return [] }
        let lines = loaded.effective.compactMap { value -> Int? in
            guard value.key == encryption, case .file(let line) = value.source else { return nil }
            return line
        }
        return [
            ConfigProblem(
                file: loaded.path, line: lines.first ?? 1, column: 1, key: encryption, found: file,
                expected: "to be left out: \(advice)")
        ]
    }
}
