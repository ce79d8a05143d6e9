import ArgumentParser
import BulkheadIPC

/// The version of the echo schema a server was built with; clients have `base`.
enum SchemaVariant: String, ExpressibleByArgument, CaseIterable {
    case base
    /// `Echo.Hop` has one more field.
    case added
    /// `Echo.Task` is not there.
    case removed
    /// A field of `Echo.Wait` is of another type.
    case changed

    /// Types of descriptor.proto.
    private static let (string, int64, bytes): (UInt32, UInt32, UInt32) = (9, 3, 12)

    var schema: ServiceSchema {
        let methods = Echo.all.filter(isServed).map(adapted)
        return ServiceSchema(
            name: "Echo", fingerprint: "echo-\(rawValue)", methods: methods, forms: forms,
            signatures: methods.map { method in
                let place = method.name == Echo.hop.name ? 1 : method.name == Echo.wait.name ? 2 : 0
                return MethodSignature(place, place)
            })
    }

    private var forms: [MessageForm] {
        let body = MessageForm.Field(1, "body", Self.bytes)
        let hop = self == .added ? [body, MessageForm.Field(2, "note", Self.string)] : [body]
        let wait = self == .changed ? [MessageForm.Field(1, "body", Self.int64)] : [body]
        return [MessageForm("Text", [body]), MessageForm("Hop", hop), MessageForm("Wait", wait)]
    }

    func isServed(_ method: MethodDescriptor) -> Bool { self != .removed || method.name != Echo.task.name }

    /// The method as this version describes it.
    func adapted(_ method: MethodDescriptor) -> MethodDescriptor {
        let differs = (self == .added && method.name == Echo.hop.name) || (self == .changed && method.name == Echo.wait.name)
        return MethodDescriptor(
            name: method.name, shape: method.shape, requestHash: method.requestHash + (differs ? 1000 : 0),
            responseHash: method.responseHash)
    }

    func serve(_ methods: [ServerMethod]) -> [ServerMethod] {
        methods.filter { isServed($0.descriptor) }.map { ServerMethod(adapted($0.descriptor), $0.handler) }
    }
}
