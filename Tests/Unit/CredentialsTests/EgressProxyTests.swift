import BulkheadConfig
import BulkheadCore
import CredentialsService
import Synchronization
import Testing

private let login = "proxy-user:proxy-password-Zq7"

private func egress(_ text: String) throws -> EgressConfiguration {
    try loadConfiguration(CredentialsConfiguration.self, text: "credentials:\n  egress: { \(text) }\n", file: "f.yaml").service
        .egress
}

private func stored(_ host: String, preset: Preset = .basic, revoked: Int64 = 0) throws -> StoredSecret {
    let policy = SecretPolicy(host: try #require(SealedHost(host)), preset: preset, created: 1, revoked: revoked)
    return StoredSecret(policy: policy, value: SecretBytes(Array(login.utf8)))
}

@Test("a password in the proxy's URL is refused, and not shown")
func passwordInURL() {
    let error = #expect(throws: ConfigProblems.self) { try egress("proxy: \"http://\(login)@proxy.test:3128\"") }
    let found = error?.problems.map(\.description).joined() ?? ""
    #expect(found.contains("proxy_secret") && !found.contains("proxy-password"))
}

@Test(
    "a proxy's secret that cannot be meant is refused",
    arguments: ["proxy_secret: PROXY_LOGIN", "proxy: \"http://p.test:3128\", proxy_secret: \"user:password-of-mine\""])
func wrongSecret(_ text: String) {
    let error = #expect(throws: ConfigProblems.self) { try egress(text) }
    let found = error?.problems.map(\.description).joined() ?? ""
    #expect(found.contains("proxy_secret") && !found.contains("password-of-mine"))
}

@Test("a proxy is shown the secret that is sealed for it, and no other")
func sealedForProxy() throws {
    let egress = try egress("proxy: \"http://p.test:3128\", proxy_secret: PROXY_LOGIN")
    func reason(_ secret: StoredSecret?) -> String? {
        ProxyAccess(egress, .open(secret.map { ["PROXY_LOGIN": $0] } ?? [:])).trouble?.reason
    }
    #expect(reason(try stored("p.test:3128")) == nil)
    #expect(reason(nil) == "secret_missing")
    #expect(reason(try stored("p.test:3128", revoked: 1)) == "secret_revoked")
    #expect(reason(try stored("p.test:3129")) == "destination_denied")
    #expect(reason(try stored("p.test:3128", preset: .bearer)) == "destination_denied")
}

@Test("a proxy gets its login with the request for a way through, and nobody behind it does")
func loginAtProxy() async throws {
    let behind = Mutex("")
    let heads = Mutex<[String]>([])
    let upstream = try ScriptedUpstream { connection in
        behind.withLock { $0 = connection.head() ?? "" }
        connection.answer("200 OK", [], "well")
    }
    let proxy = try ScriptedUpstream { connection in
        guard let head = connection.head() else { return }
        heads.withLock { $0.append(head) }
        connection.write("HTTP/1.1 200 OK\r\n\r\n")
        connection.relay(to: Int(upstream.port))
    }
    let rig = try EgressRig(proxy: "http://127.0.0.1:\(proxy.port)")
    let origin = try EgressRig.origin("http://up.test:81")
    rig.client.use(.unusable(CallError(.failedPrecondition, reason: "secret_missing", message: "none", notProcessed: true)))
    #expect(await rig.send(origin).error?.reason == "secret_missing")
    #expect(heads.withLock { $0 }.isEmpty)
    rig.client.use(.pair(SecretBytes(Array(login.utf8))))
    #expect(await rig.send(origin).status == 200)
    let pair = "cHJveHktdXNlcjpwcm94eS1wYXNzd29yZC1acTc="
    #expect(heads.withLock { $0 }.first?.contains("Proxy-Authorization: Basic \(pair)") == true)
    #expect(!behind.withLock { $0 }.contains(pair))
}
