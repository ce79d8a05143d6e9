import BulkheadCore
import BulkheadServiceKit
import Testing

@Suite("Admin verbs inside a process") struct AdminTests {
    private struct Shout: Codable {
        var word: String
        var times: Int
    }

    @Test("a verb takes and gives JSON of its declared types, keys in a stable order")
    func verb() async throws {
        let verb = AdminVerb("shout") { (shout: Shout) in Shout(word: shout.word.uppercased(), times: shout.times + 1) }
        #expect(verb.name == "shout")
        #expect(try await verb.run(#"{"times":1,"word":"hey/ho"}"#) == #"{"times":2,"word":"HEY/HO"}"#)
    }

    @Test(
        "arguments of another version are refused with a hint, and the verb does not run",
        arguments: ["", "{}", "[]", #"{"word":1}"#, "\0"])
    func arguments(_ text: String) async {
        let verb = AdminVerb("shout") { (shout: Shout) -> Shout in
            Issue.record("ran with \(text)")
            return shout
        }
        let error = await #expect(throws: CallError.self) { try await verb.run(text) }
        #expect(error?.code == .invalidArgument && error?.message.contains("same version") == true)
    }

    @Test("no value is an empty object")
    func noValue() throws {
        #expect(try AdminJSON.encode(NoValue()) == "{}")
        _ = try AdminJSON.decode(NoValue.self, "{}")
    }
}

@Suite("The places of a service") struct FolderTests {
    @Test("run and state folders and both sockets are named after the service", arguments: ServiceName.allCases)
    func paths(_ service: ServiceName) {
        let folders = ServiceFolders(service: service, runDir: "/run/bulkhead", stateDir: "/var/lib/bulkhead")
        #expect(folders.run == "/run/bulkhead/\(service.rawValue)")
        #expect(folders.state == "/var/lib/bulkhead/\(service.rawValue)")
        #expect(folders.ipcSocket == "/run/bulkhead/\(service.rawValue)/ipc.sock")
        #expect(folders.adminSocket == "/run/bulkhead/\(service.rawValue)/admin.sock")
    }
}
