import BulkheadConfig
import CredentialsService
import Testing

private func problems(_ text: String) -> [String] {
    do {
        _ = try loadConfiguration(CredentialsConfiguration.self, text: text, file: "f.yaml")
        return []
    } catch let error as ConfigProblems {
        return error.problems.map(\.description)
    } catch {
        return ["unexpected \(error)"]
    }
}

private func problems(of destination: String, environment: String = "dev") -> [String] {
    problems("suite: { environment: \(environment) }\ncredentials:\n  destinations:\n    it: { \(destination) }\n")
}

@Test("every wrong value is listed with what is allowed, and no secret is shown")
func planted() {
    let secret = "sk-proj-" + String(repeating: "Zq7", count: 14)
    let found = problems(
        """
        credentials:
          store: cloud
          destinations:
            one: { base_url: "not a url", secret: ONE_KEY, preset: bearer }
            two: { base_url: "https://api.example.com", secret: TWO_KEY, preset: berer }
            three: { base_url: "https://api.example.com", secret: "\(secret)", preset: bearer }
            four: { base_ulr: "https://api.example.com" }
        """)
    for (line, word) in [(2, "cloud"), (4, "base_url"), (5, "bearer"), (6, "secret"), (7, "base_url?")] {
        #expect(found.contains { $0.hasPrefix("f.yaml:\(line):") && $0.contains(word) }, "line \(line) in \(found)")
    }
    #expect(!found.contains { $0.contains(secret) })
}

@Test(
    "destinations that are fine in development",
    arguments: [
        "base_url: \"https://api.openai.com\", secret: A_KEY, preset: openai",
        "base_url: \"http://127.0.0.1:8901\", private_network: true",
        "base_url: \"http://127.0.0.1:9000\", private_network: true, allow_plain_http: true, secret: A_KEY, preset: bearer",
        "base_url: \"https://api.example.com/v2\", secret: A_KEY, preset: header, header: X-Token, methods: [GET], paths: [/a, /b/*], callers: [edge]",
        "base_url: \"https://api.example.com\", secret: A_KEY, preset: query, query: key, limits: { connect: 2s, max_response: 1MiB, concurrency: 5 }",
        "base_url: \"https://api.example.com\", headers: { allow: [X-One, X-HTTP-Method-Override] }, rate: { rpm: 60, burst: 5 }",
        "base_url: \"https://api.example.com\", limits: { total: 2m, idle: 30s }, probe: { method: POST, path: /v1/x }",
        "base_url: \"https://api.example.com\", tls: { minimum: \"1.3\", pins: [\"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"] }",
    ])
func fine(_ text: String) { #expect(problems(of: text) == []) }

@Test(
    "destinations that are refused",
    arguments: [
        "base_url: \"http://api.example.com\"", "base_url: \"https://127.0.0.1\"", "base_url: \"https://localhost\"",
        "base_url: \"https://169.254.169.254\", private_network: true",
        "base_url: \"http://127.0.0.1:9000\", private_network: true, secret: A_KEY",
        "base_url: \"http://api.example.com\", allow_plain_http: true, secret: A_KEY",
        "base_url: \"https://user:pass@api.example.com\"", "base_url: \"https://api.example.com/?a=b\"",
        "base_url: \"https://api.example.com/../x\"",
        "base_url: \"ftp://api.example.com\"", "base_url: \"https://a\", methods: [TRACE]",
        "base_url: \"https://a\", methods: [get]",
        "base_url: \"https://a\", paths: [\"/a/**/b\"]", "base_url: \"https://a\", callers: [edgy]",
        "base_url: \"https://a\", preset: header, secret: A",
        "base_url: \"https://a\", preset: header, header: Host, secret: A", "base_url: \"https://a\", secret: lower",
        "secret: A_KEY", "base_url: \"https://a\", headers: { allow: [Authorization] }",
        "base_url: \"https://a\", headers: { allow: [\"X Y\"] }", "base_url: \"https://a\", rate: { burst: 5 }",
        "base_url: \"https://a\", rate: { rpm: 0 }", "base_url: \"https://a\", probe: { path: \"/../x\" }",
        "base_url: \"https://a\", probe: { path: /x, method: TRACE }", "base_url: \"https://a\", tls: { minimum: \"1.1\" }",
        "base_url: \"https://a\", tls: { pins: [\"sha256/abc\"] }", "base_url: \"https://a\", limits: { idle: 0s }",
        "base_url: \"http://127.0.0.1:1\", private_network: true, tls: { minimum: \"1.3\" }", "base_url: [a]",
    ])
func refused(_ text: String) { #expect(problems(of: text).count == 1) }

@Test("in production no secret goes over plain http, whatever else is said")
func production() {
    let staging =
        "base_url: \"http://127.0.0.1:9000\", private_network: true, allow_plain_http: true, secret: A_KEY, preset: bearer"
    #expect(problems(of: staging, environment: "production").count == 1)
    #expect(problems(of: staging.replacing("secret: A_KEY, ", with: ""), environment: "production") == [])
}
