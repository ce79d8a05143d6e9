import BulkheadConfig
import EdgeService
import Foundation
import Testing

@Suite("What check finds of the source of an issuer's keys")
struct KeySourceCheckTests {
    /// - Parameter text: with FOLDER for the folder the file is in.
    private func problems(_ text: String, keys: String? = nil) throws -> [ConfigProblem] {
        let folder = NSTemporaryDirectory() + "bh-check-\(UInt64.random(in: .min ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer {
            // A folder that stays behind is no reason to fail.
            try? FileManager.default.removeItem(atPath: folder)
        }
        if let keys { try keys.write(toFile: folder + "/jwks.json", atomically: true, encoding: .utf8) }
        let path = folder + "/bulkhead.yaml"
        try text.replacingOccurrences(of: "FOLDER", with: folder).write(toFile: path, atomically: true, encoding: .utf8)
        return KeySourceCheck.problems(path)
    }

    private func edge(_ source: String) -> String {
        "edge:\n  auth:\n    mode: oidc\n    issuer: https://idp.example\n    audience: a\n    \(source)\n"
    }

    @Test("A file of keys that is not there is told at its line; one that is there is none")
    func file() throws {
        let text = edge("jwks_file: FOLDER/jwks.json")
        let missing = try #require(try problems(text).first)
        #expect(missing.key == "edge.auth.jwks_file" && missing.line == 6 && missing.found.contains("/jwks.json"))
        #expect(try problems(text, keys: "{}").isEmpty)
    }

    @Test(
        "A destination that is not for edge is told, one that is or is not in the file is none",
        arguments: [
            ("credentials: { destinations: { idp: { callers: [router] } } }\n", true),
            ("credentials: { destinations: { idp: {} } }\n", true),
            ("credentials: { destinations: { idp: { callers: [edge] } } }\n", false), ("", false),
        ])
    func destination(_ rest: String, _ isWrong: Bool) throws {
        let found = try problems(edge("jwks_destination: idp") + rest)
        #expect(found.map(\.key) == (isWrong ? ["edge.auth.jwks_destination"] : []))
        #expect(found.allSatisfy { $0.expected.contains("callers does not hold edge") })
    }

    @Test("Keys of this server alone need no source")
    func keys() throws { #expect(try problems("edge: { max_json: 1MiB }\n").isEmpty) }
}
