// Schemas as they travel: in a handshake between two versions, and as the answer of Reflect.Describe.

extension IPCMessages.SchemaForm {
    init(_ schema: ServiceSchema) {
        self.init(
            name: schema.name, fingerprint: schema.fingerprint, messages: schema.forms.map(IPCMessages.MessageForm.init),
            methods: schema.methods.indices.map { IPCMessages.MethodForm(schema, $0) })
    }
}

extension IPCMessages.MessageForm {
    fileprivate init(_ form: MessageForm) {
        self.init(
            name: form.name,
            fields: form.fields.map { field in
                IPCMessages.FieldForm(
                    number: field.number, name: field.name, type: field.type, isRepeated: field.isRepeated,
                    message: UInt32(field.message.map { $0 + 1 } ?? 0))
            })
    }
}

extension IPCMessages.MethodForm {
    fileprivate init(_ schema: ServiceSchema, _ place: Int) {
        let method = schema.methods[place]
        let signature = schema.signatures.indices.contains(place) ? schema.signatures[place] : nil
        self.init(
            name: method.name, shape: UInt32(method.shape.rawValue), methodClass: UInt32(method.methodClass.rawValue),
            requestHash: method.requestHash, responseHash: method.responseHash,
            request: UInt32(signature.map { $0.request + 1 } ?? 0), response: UInt32(signature.map { $0.response + 1 } ?? 0))
    }
}

extension ServiceSchema {
    /// What a peer says of itself. A method of an unknown shape or class is left out, a place that does not exist is one
    /// beyond the last, which compares as not described.
    init(_ form: IPCMessages.SchemaForm) {
        let forms = form.messages.map(MessageForm.init)
        var methods: [MethodDescriptor] = []
        var signatures: [MethodSignature] = []
        for method in form.methods {
            guard let shape = CallShape(wire: method.shape), let methodClass = MethodClass(wire: method.methodClass) else {
                continue
            }
            methods.append(
                MethodDescriptor(
                    name: method.name, shape: shape, methodClass: methodClass, requestHash: method.requestHash,
                    responseHash: method.responseHash))
            signatures.append(MethodSignature(place(method.request, forms.count), place(method.response, forms.count)))
        }
        self.init(name: form.name, fingerprint: form.fingerprint, methods: methods, forms: forms, signatures: signatures)
    }
}

private func place(_ number: UInt32, _ count: Int) -> Int {
    (1 ... UInt32(clamping: max(1, count))) ~= number ? Int(number) - 1 : count
}

extension MessageForm {
    fileprivate init(_ form: IPCMessages.MessageForm) {
        self.init(
            form.name,
            form.fields.map { field in
                Field(
                    field.number, field.name, field.type, isRepeated: field.isRepeated,
                    message: field.message == 0 ? nil : Int(field.message) - 1)
            })
    }
}

extension CallShape {
    fileprivate init?(wire: UInt32) { self.init(rawValue: UInt8(clamping: wire)) }
}

extension MethodClass {
    fileprivate init?(wire: UInt32) { self.init(rawValue: UInt8(clamping: wire)) }
}
