import BulkheadCore
import BulkheadIPC
import NIOCore
import Testing

/// Two builds of different age at the ends of one link.
@Suite("Version skew")
struct SchemaSkewTests {
    private static let name = MessageForm.Field(1, "name", 9)
    private static let size = MessageForm.Field(2, "size", 3)
    private static let items = MessageForm.Field(3, "items", 11, isRepeated: true, message: 1)

    /// A schema with one method, `Test.Echo`, whose request is `forms[0]`; another `age` is another fingerprint and hash.
    private static func schema(_ age: UInt64, shape: CallShape = .unary, _ forms: MessageForm...) -> ServiceSchema {
        ServiceSchema(
            name: "Test", fingerprint: "age \(age)",
            methods: [MethodDescriptor(name: "Test.Echo", shape: shape, requestHash: age, responseHash: age)], forms: forms,
            signatures: [MethodSignature(0, 0)])
    }

    /// Calls `Test.Echo` of `theirs` as declared by `mine`.
    /// - Returns: the error, if any, and how the link names the method's version.
    private func call(mine: ServiceSchema, theirs: ServiceSchema) async throws -> (CallError?, LinkMethod?) {
        let loop = RawEnd.loop
        let handler: ServerHandler =
            theirs.methods[0].shape == .unary
            ? .unary { message, _ in message } : .stream { _, _, writer in try await writer.write(ByteBuffer()) }
        let link = try await InProcessTransport.connect(
            service: "test", methods: [ServerMethod(theirs.methods[0], handler)], schemas: [theirs],
            link: LinkConfiguration(peer: "test", caller: "old", socketPath: "", schemas: [mine]), eventLoop: loop)
        #expect(await eventually { link.snapshot().state == .ready })
        var failure: CallError?
        do {
            let reply = try await link.unary(
                mine.methods[0], ByteBuffer(string: "x"), CallOptions(deadline: .now() + .seconds(5)))
            #expect(reply == ByteBuffer(string: "x"))
        } catch {
            failure = error as? CallError
        }
        let method = link.methods().first
        #expect(link.snapshot().skewed == (method?.version == .skewed ? ["Test.Echo"] : []))
        await link.close()
        return (failure, method)
    }

    @Test("Fields that only one side knows do not matter, nor do names, in nested messages either")
    func compatible() async throws {
        let inner = MessageForm("Item", [Self.name])
        let old = Self.schema(1, MessageForm("Echo", [Self.name, Self.items]), inner)
        let new = Self.schema(
            2, MessageForm("Renamed", [Self.size, MessageForm.Field(3, "parts", 11, isRepeated: true, message: 1)]),
            MessageForm("Item", [MessageForm.Field(1, "title", 9), Self.size]))
        for (mine, theirs) in [(old, new), (new, old)] {
            let (error, method) = try await call(mine: mine, theirs: theirs)
            #expect(error == nil)
            #expect(method?.version == .compatible)
        }
    }

    @Test("Another type, repetition, nested type or shape blocks the method and names the field")
    func skewed() async throws {
        let mine = Self.schema(1, MessageForm("Echo", [Self.name, Self.items]), MessageForm("Item", [Self.name]))
        let others = [
            Self.schema(2, MessageForm("Echo", [MessageForm.Field(1, "name", 12)])),
            Self.schema(2, MessageForm("Echo", [MessageForm.Field(1, "name", 9, isRepeated: true)])),
            Self.schema(2, MessageForm("Echo", [Self.items]), MessageForm("Item", [MessageForm.Field(1, "name", 3)])),
            Self.schema(2, MessageForm("Echo", [MessageForm.Field(3, "items", 11, isRepeated: true, message: 7)])),
            Self.schema(2, shape: .serverStream, MessageForm("Echo", [Self.name])),
        ]
        for theirs in others {
            let (error, method) = try await call(mine: mine, theirs: theirs)
            #expect(error?.code == .unimplemented)
            #expect(error?.reason == "schema_skew")
            #expect(error?.notProcessed == true)
            #expect(method?.version == .skewed)
            #expect(method?.problem?.isEmpty == false)
        }
    }

    @Test("A message that contains itself, as only a hostile peer describes one, is compared in finite time")
    func recursive() async throws {
        let loop = MessageForm("Echo", [Self.name, MessageForm.Field(2, "self", 11, message: 0)])
        let (error, method) = try await call(mine: Self.schema(1, loop), theirs: Self.schema(2, loop))
        #expect(error == nil)
        #expect(method?.version == .compatible)
    }

    @Test("Schemas too long for a handshake are not described; equal methods still work")
    func tooLong() async throws {
        let fields = (1 ... 5000).map { MessageForm.Field(UInt32($0), "a_rather_long_name_\($0)", 9) }
        let form = MessageForm("Echo", fields)
        #expect(try await call(mine: Self.schema(1, form), theirs: Self.schema(1, form)).0 == nil)
        #expect(try await call(mine: Self.schema(1, form), theirs: Self.schema(2, form)).0?.reason == "schema_skew")
    }

    @Test("A peer describes what it serves")
    func reflection() async throws {
        let schema = Self.schema(3, MessageForm("Echo", [Self.name, Self.items]), MessageForm("Item", [Self.name]))
        let link = try await InProcessTransport.connect(
            service: "test", methods: [ServerMethod(schema.methods[0], .unary { message, _ in message })], schemas: [schema],
            link: LinkConfiguration(peer: "test", caller: "curious", socketPath: "", schemas: []), eventLoop: RawEnd.loop)
        let description = try await link.describe(CallOptions(deadline: .now() + .seconds(5)))
        #expect(description.service == "test")
        #expect(description.schemas == [schema])
        #expect(description.instance.count == 32)
        await link.close()
    }
}
