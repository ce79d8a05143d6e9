/// The wire form of a message: what two builds must agree on to understand each other. Made by the generator.
package struct MessageForm: Sendable, Hashable {
    /// One field of a message.
    package struct Field: Sendable, Hashable {
        /// What travels, and what only people read.
        package let number: UInt32
        package let name: String
        /// `FieldDescriptorProto.Type` of descriptor.proto.
        package let type: UInt32
        package let isRepeated: Bool
        /// The place of the field's message among the schema's forms; nil for a scalar or an enum.
        package let message: Int?

        /// A field of the given number.
        package init(_ number: UInt32, _ name: String, _ type: UInt32, isRepeated: Bool = false, message: Int? = nil) {
            self.number = number
            self.name = name
            self.type = type
            self.isRepeated = isRepeated
            self.message = message
        }
    }

    /// As the `.proto` declares them.
    package let name: String
    package let fields: [Field]

    /// A message of `fields`.
    package init(_ name: String, _ fields: [Field]) {
        self.name = name
        self.fields = fields
    }
}

/// Where a schema keeps the messages of a method.
package struct MethodSignature: Sendable, Hashable {
    /// Place among the schema's forms.
    package let request: Int
    package let response: Int

    /// The places of request and response.
    package init(_ request: Int, _ response: Int) {
        self.request = request
        self.response = response
    }
}
