import BulkheadConfig
import Glibc

/// What a look at the server finds of the source of an issuer's keys that the file alone does not show. For `check`: edge itself
/// starts without a file that comes later.
package enum KeySourceCheck {
    /// Blocks on files.
    package static func problems(_ path: String) -> [ConfigProblem] {
        guard let loaded = try? loadConfiguration(EdgeConfiguration.self, path: path), let settings = loaded.service.oidc else {
            return []
        }
        switch settings.source {
        case .file(let file):
            guard access(file, R_OK) != 0 else { return [] }
            let error = String(cString: strerror(errno))
            return [
                problem(
                    loaded, "jwks_file", found: "\(file) (\(error))",
                    expected: "a file with the issuer's keys that can be read here")
            ]
        case .destination(let name, _):
            guard let callers = callers(of: name, path), !callers.contains("edge") else { return [] }
            return [
                problem(
                    loaded, "jwks_destination", found: name,
                    expected: "a destination for edge, but credentials.destinations.\(name).callers does not hold edge: add it")
            ]
        }
    }

    /// nil: the file does not have the destination; it may be this service's alone.
    private static func callers(of destination: String, _ path: String) -> [String]? {
        guard let document = try? ConfigDocument.load(path: path) else { return nil }
        let section = document.section("credentials").section("destinations").section(destination)
        return section.isPresent ? section.strings("callers", default: []) : nil
    }

    private static func problem(
        _ loaded: LoadedConfiguration<EdgeConfiguration>, _ key: String, found: String, expected: String
    ) -> ConfigProblem {
        let key = "edge.auth.\(key)"
        let lines = loaded.effective.compactMap { value -> Int? in
            guard value.key == key, case .file(let line) = value.source else { return nil }
            return line
        }
        return ConfigProblem(file: loaded.path, line: lines.first ?? 1, column: 1, key: key, found: found, expected: expected)
    }
}
