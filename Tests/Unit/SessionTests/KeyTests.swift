import BulkheadAPI
import BulkheadCore
import BulkheadStore
import SessionService
import Testing

@Suite("API keys")
struct KeyTests {
    @Test("A new key is bh_ and 43 characters, admits, and only its digest is stored")
    func create() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey { $0.user = "ada" }
        #expect(made.key.hasPrefix("bh_") && made.key.utf8.count == 46)
        let reply = try await bench.admit(made.key)
        #expect(reply.verdict == .admitted)
        #expect(reply.keyID == made.id && reply.tenant == "acme" && reply.user == "ada" && !reply.admissionID.isEmpty)
        let text = Statement("test.keys", "SELECT quote(digest) || id FROM api_key")
        let rows = try await bench.store.transact { try $0.rows(text, []) }
        #expect(rows.count == 1 && rows.allSatisfy { !$0.text(0).contains(made.key) })
    }

    @Test("An unknown key is refused")
    func unknown() async throws {
        let bench = try await SessionBench()
        #expect(try await bench.admit("bh_nobody").verdict == .keyRefused)
    }

    @Test("A revoked key is refused at once, also after a restart")
    func revoke() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey()
        let ended = try await bench.administration.revoke(KeyName(id: made.id))
        #expect(ended.state == "revoked")
        #expect(try await bench.admit(made.key).verdict == .keyRefused)
        let again = try await SessionBench(folder: bench.folder)
        again.now = bench.now
        #expect(try await again.admit(made.key).verdict == .keyRefused)
    }

    @Test("A key ends at its expiry, not before")
    func expiry() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey { $0.expires = "30d" }
        bench.now = SessionBench.start + .seconds(30 * 86_400 - 1)
        #expect(try await bench.admit(made.key).verdict == .admitted)
        bench.now = SessionBench.start + .seconds(30 * 86_400)
        #expect(try await bench.admit(made.key).verdict == .keyRefused)
    }

    @Test("Rotation gives a new key the same rights; the old one lives for the overlap")
    func rotate() async throws {
        let bench = try await SessionBench()
        let old = try await bench.makeKey { $0.models = ["gpt-*"] }
        let new = try await bench.administration.rotate(KeyRotation(id: old.id, overlap: "1h"))
        #expect(bench.keys.find(id: new.id)?.models == ["gpt-*"])
        bench.now = bench.now + .seconds(3599)
        #expect(try await bench.admit(old.key).verdict == .modelRefused)
        bench.now = bench.now + .seconds(1)
        #expect(try await bench.admit(old.key).verdict == .keyRefused)
        let last = try await bench.administration.rotate(KeyRotation(id: new.id, overlap: nil))
        #expect(try await bench.admit(new.key).verdict == .keyRefused)
        #expect(bench.keys.find(id: last.id)?.replaces == new.id)
    }

    @Test("A rotated key is shown by its own first characters, and keeps its scopes")
    func rotateScopes() async throws {
        let bench = try await SessionBench()
        let old = try await bench.makeKey { $0.scopes = ["read", "embeddings"] }
        let new = try await bench.administration.rotate(KeyRotation(id: old.id, overlap: nil))
        let shown = try await bench.administration.show(KeyName(id: new.id))
        #expect(shown.scopes == ["embeddings", "read"] && shown.prefix == String(new.key.prefix(7)) && shown.replaces == old.id)
        #expect(new.key.hasPrefix(shown.prefix) && !old.key.hasPrefix(shown.prefix))
    }

    @Test("An end comes nearer, and never moves away")
    func endsOnlyComeNearer() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey { $0.expires = "1h" }
        _ = try await bench.administration.rotate(KeyRotation(id: made.id, overlap: "2h"))
        let expiry = SessionBench.start.unixMilliseconds + 3_600_000
        #expect(bench.keys.find(id: made.id)?.expiresAt == expiry)
        let first = try await bench.administration.revoke(KeyName(id: made.id))
        bench.now = bench.now + .seconds(5)
        let second = try await bench.administration.revoke(KeyName(id: made.id))
        #expect(first.revokedAt == SessionBench.start.unixMilliseconds && second.revokedAt == first.revokedAt)
        #expect(second.expiresAt == expiry)
    }

    @Test("Every change of a key is stamped with the store's time")
    func stamps() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey()
        #expect(bench.keys.find(id: made.id)?.changedAt == SessionBench.start.unixMilliseconds)
        bench.now = bench.now + .seconds(7)
        _ = try await bench.administration.revoke(KeyName(id: made.id))
        #expect(bench.keys.find(id: made.id)?.changedAt == SessionBench.start.unixMilliseconds + 7_000)
    }

    @Test("Keys are listed by tenant and by state; a state there is not is refused with those there are")
    func list() async throws {
        let bench = try await SessionBench()
        let (good, gone) = (try await bench.makeKey("acme"), try await bench.makeKey("acme"))
        let late = try await bench.makeKey("other") { $0.expires = "1s" }
        _ = try await bench.administration.revoke(KeyName(id: gone.id))
        bench.now = bench.now + .seconds(1)
        let listed = { (tenant: String?, state: String?) in
            Set(try bench.administration.list(KeySelection(tenant: tenant, state: state)).map(\.id))
        }
        #expect(try listed(nil, nil) == [good.id, gone.id, late.id])
        #expect(try listed("acme", nil) == [good.id, gone.id])
        #expect(try listed(nil, "expired") == [late.id] && listed("acme", "revoked") == [gone.id])
        #expect(try listed("acme", "good") == [good.id] && listed("nobody", "good") == [])
        let error = #expect(throws: CallError.self) { _ = try listed(nil, "gone") }
        #expect(error?.message.contains("good, revoked, expired") == true)
    }

    @Test("Only a key that may assert users takes the user of the request")
    func assertedUser() async throws {
        let bench = try await SessionBench()
        for (may, expected) in [(true, "eve"), (false, "")] {
            let made = try await bench.makeKey { $0.assertUser = may }
            var request = bench.request(made.key)
            request.assertedUser = "eve"
            #expect(try await bench.admission.admit(request, now: bench.now).user == expected)
        }
    }

    @Test("A key in place of an id is not echoed")
    func idIsNoKey() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey()
        let error = await #expect(throws: CallError.self) { _ = try await bench.administration.show(KeyName(id: made.key)) }
        #expect(error?.code == .notFound && error?.message.contains(made.key) == false)
    }

    /// What is wrong, and the option that is named.
    private static let refusals: [(option: String, asked: KeyCreation)] = {
        func asked(_ change: (inout KeyCreation) -> Void) -> KeyCreation {
            var asked = KeyCreation(tenant: "acme")
            change(&asked)
            return asked
        }
        return [
            ("--scopes", asked { $0.scopes = ["models", "model"] }), ("--destinations", asked { $0.destinations = ["*"] }),
            ("--destinations", asked { $0.destinations = ["a/b"] }),
            ("--tenant", KeyCreation(tenant: "")), ("--user", asked { $0.user = "a\u{7}" }), ("--rpm", asked { $0.rpm = 0 }),
            ("--expires", asked { $0.expires = "soon" }), ("--expires", asked { $0.expires = "99999999d" }),
            ("--budget-usd", asked { $0.budgetUSD = -1 }), ("--budget-window", asked { $0.budgetWindow = "1d" }),
            ("--budget-usd", asked { ($0.budgetUSD, $0.budgetWindow) = (0, "1d") }),
            ("--budget-window", asked { ($0.budgetUSD, $0.budgetWindow) = (1, "1ms") }),
            ("--models", asked { $0.models = ["gpt-*", "a*b"] }),
        ]
    }()

    @Test("What cannot be made is refused by the name of its option", arguments: 0 ..< 13)
    func invalid(index: Int) async throws {
        let (option, asked) = Self.refusals[index]
        let bench = try await SessionBench()
        let error = await #expect(throws: CallError.self) { _ = try await bench.administration.create(asked) }
        #expect(error?.code == .invalidArgument && error?.message.hasPrefix(option) == true)
        #expect(bench.keys.count == 0)
    }
}
