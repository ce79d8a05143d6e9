import CLibsecret

/// A connection of its own to the Secret Service, by libsecret. Confined to the keychain's thread.
///
/// The session bus of the process is not used: its connection ends the process when the bus does. Nothing here starts a
/// daemon, unlocks a collection or asks anybody: what is locked is an error.
final class SecretServiceConnection: @unchecked Sendable {
    typealias Cancellable = UnsafeMutablePointer<GCancellable>

    /// An item as it was found.
    struct Item: Sendable {
        var name: String
        /// nil: damaged, or put there by somebody else.
        var secret: StoredSecret?
    }

    private static let serviceName = "org.freedesktop.secrets"
    private static let servicePath = "/org/freedesktop/secrets"
    private static let owner = "bulkhead"
    /// The name of the item that proves that the collection keeps what it is given; no secret can have it.
    private static let sentinel = "sentinel"

    private let connection: OpaquePointer
    private let service: UnsafeMutablePointer<SecretService>
    private let schema: UnsafeMutablePointer<SecretSchema>

    /// Connects to the bus. The session with the Secret Service, which encrypts values on the way, opens with the first of them.
    init(_ address: String, _ cancellable: Cancellable) throws(KeychainTrouble) {
        var error: UnsafeMutablePointer<GError>?
        let flags = GDBusConnectionFlags(
            rawValue: G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT.rawValue
                | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION.rawValue)
        guard let connection = g_dbus_connection_new_for_address_sync(address, flags, nil, cancellable, &error) else {
            let trouble = Self.trouble(error)
            if case .other(let text) = trouble { throw .noBus(text) }
            throw trouble
        }
        g_dbus_connection_set_exit_on_close(connection, 0)
        do throws(KeychainTrouble) {
            try Self.checkOwner(connection, cancellable)
            guard let service = bulkhead_secret_service(connection, cancellable, &error) else { throw Self.trouble(error) }
            self.service = service
        } catch {
            g_object_unref(UnsafeMutableRawPointer(connection))
            throw error
        }
        self.connection = connection
        let names = g_hash_table_new(g_str_hash, g_str_equal)
        defer { g_hash_table_unref(names) }
        // The value is the type; a null pointer is SECRET_SCHEMA_ATTRIBUTE_STRING. The names live as long as the program.
        for name in [Self.serviceKey, Self.nameKey] { g_hash_table_insert(names, UnsafeMutableRawPointer(mutating: name), nil) }
        schema = secret_schema_newv("com.bulkhead.Credential", SECRET_SCHEMA_NONE, names)
    }

    deinit {
        secret_schema_unref(schema)
        g_object_unref(service)
        g_object_unref(UnsafeMutableRawPointer(connection))
    }

    private static var serviceKey: UnsafePointer<CChar> { text("service") }
    private static var nameKey: UnsafePointer<CChar> { text("name") }

    /// A text at one address for the whole life of the program.
    private static func text(_ text: StaticString) -> UnsafePointer<CChar> {
        UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
    }

    // MARK: state

    /// The collection's object, when it is there and unlocked.
    func readyCollection(_ path: String, _ cancellable: Cancellable) throws(KeychainTrouble) -> String {
        guard g_dbus_connection_is_closed(connection) == 0 else { throw .noBus("the bus has ended") }
        try Self.checkOwner(connection, cancellable)
        let path = path.hasSuffix("/aliases/default") ? try defaultCollection(cancellable) : path
        let arguments = bulkhead_two_strings("org.freedesktop.Secret.Collection", "Locked")
        let reply = try Self.call(
            connection, Self.serviceName, path, "org.freedesktop.DBus.Properties", "Get", arguments, cancellable)
        defer { g_variant_unref(reply) }
        let boxed = g_variant_get_child_value(reply, 0)
        defer { g_variant_unref(boxed) }
        let value = g_variant_get_variant(boxed)
        defer { g_variant_unref(value) }
        if g_variant_get_boolean(value) != 0 { throw .locked }
        return path
    }

    private func defaultCollection(_ cancellable: Cancellable) throws(KeychainTrouble) -> String {
        let reply = try Self.call(
            connection, Self.serviceName, Self.servicePath, "org.freedesktop.Secret.Service", "ReadAlias",
            bulkhead_one_string("default"), cancellable)
        defer { g_variant_unref(reply) }
        let child = g_variant_get_child_value(reply, 0)
        defer { g_variant_unref(child) }
        let path = String(cString: g_variant_get_string(child, nil))
        guard path.utf8.count > 1 else { throw .noCollection }
        return path
    }

    private static func checkOwner(_ connection: OpaquePointer, _ cancellable: Cancellable) throws(KeychainTrouble) {
        let reply = try call(
            connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner",
            bulkhead_one_string(serviceName), cancellable)
        defer { g_variant_unref(reply) }
        let child = g_variant_get_child_value(reply, 0)
        defer { g_variant_unref(child) }
        if g_variant_get_boolean(child) == 0 { throw .noOwner }
    }

    private static func call(
        _ connection: OpaquePointer, _ name: String, _ path: String, _ interface: String, _ method: String,
        _ arguments: OpaquePointer?, _ cancellable: Cancellable
    ) throws(KeychainTrouble) -> OpaquePointer {
        var error: UnsafeMutablePointer<GError>?
        let reply = g_dbus_connection_call_sync(
            connection, name, path, interface, method, arguments, nil, G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, cancellable, &error)
        guard let reply else { throw trouble(error) }
        return reply
    }

    // MARK: items

    /// Stores a random value and reads it back.
    func proveSentinel(_ collection: String, _ cancellable: Cancellable) throws(KeychainTrouble) {
        let text = (0 ..< 16).map { _ in UInt8.random(in: 97 ... 122) }
        // Not within a closure: the standard library's does not pass the type of an error on.
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: text.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: text)
        try store(UnsafeRawBufferPointer(copy), named: Self.sentinel, collection, cancellable)
        guard try readSentinel(collection, cancellable) == text else {
            throw .other("what was stored as a test did not come back")
        }
    }

    /// Whether the test item can still be read.
    func checkSentinel(_ collection: String, _ cancellable: Cancellable) throws(KeychainTrouble) {
        if try readSentinel(collection, cancellable) == nil { throw .other("an item that was stored as a test is gone") }
    }

    private func readSentinel(_ collection: String, _ cancellable: Cancellable) throws(KeychainTrouble) -> [UInt8]? {
        var found: [UInt8]?
        try search(named: Self.sentinel, collection, cancellable) { _, bytes in found = bytes.map { Array($0) } }
        return found
    }

    /// All secrets of the collection.
    func load(_ collection: String, _ cancellable: Cancellable) throws(KeychainTrouble) -> [Item] {
        var items: [Item] = []
        try search(named: nil, collection, cancellable) { name, bytes in
            guard name != Self.sentinel, items.count < Keychain.maxSecrets else { return }
            items.append(Item(name: name, secret: bytes.flatMap { SecretBlob.read($0, named: name) }))
        }
        return items
    }

    /// Stores a blob in place of what has its name.
    func store(
        _ blob: UnsafeRawBufferPointer, named name: String, _ collection: String, _ cancellable: Cancellable
    ) throws(KeychainTrouble) {
        // The value points to the blob, which outlives it here, and is not copied.
        let bytes = blob.baseAddress.map { $0.assumingMemoryBound(to: gchar.self) }
        guard
            let value = secret_value_new_full(UnsafeMutablePointer(mutating: bytes), blob.count, "application/octet-stream", nil)
        else { throw .other("there is no memory for a value") }
        defer { secret_value_unref(UnsafeMutableRawPointer(value)) }
        let attributes = attributes(name)
        defer { g_hash_table_unref(attributes) }
        var error: UnsafeMutablePointer<GError>?
        let isStored = secret_service_store_sync(
            service, schema, attributes, collection, "Bulkhead: \(name)", value, cancellable, &error)
        if isStored == 0 { throw Self.trouble(error) }
    }

    /// Removes what has the name.
    func remove(_ name: String, _ cancellable: Cancellable) throws(KeychainTrouble) {
        let attributes = attributes(name)
        defer { g_hash_table_unref(attributes) }
        var error: UnsafeMutablePointer<GError>?
        _ = secret_service_clear_sync(service, schema, attributes, cancellable, &error)
        if error != nil { throw Self.trouble(error) }
    }

    private func search(
        named name: String?, _ collection: String, _ cancellable: Cancellable,
        _ body: (String, UnsafeRawBufferPointer?) -> Void
    ) throws(KeychainTrouble) {
        let attributes = attributes(name)
        defer { g_hash_table_unref(attributes) }
        var error: UnsafeMutablePointer<GError>?
        let flags = SecretSearchFlags(rawValue: SECRET_SEARCH_ALL.rawValue | SECRET_SEARCH_LOAD_SECRETS.rawValue)
        let list = secret_service_search_sync(service, schema, attributes, flags, cancellable, &error)
        defer { g_list_free_full(list, g_object_unref) }
        if error != nil { throw Self.trouble(error) }
        var next = list
        while let entry = next {
            if let data = entry.pointee.data { Self.visit(data, collection, body) }
            next = entry.pointee.next
        }
    }

    private static func visit(
        _ data: UnsafeMutableRawPointer, _ collection: String, _ body: (String, UnsafeRawBufferPointer?) -> Void
    ) {
        let item = data.assumingMemoryBound(to: SecretItem.self)
        let path = g_dbus_proxy_get_object_path(data.assumingMemoryBound(to: GDBusProxy.self)).map { String(cString: $0) }
        guard path?.hasPrefix(collection + "/") == true, let attributes = secret_item_get_attributes(item) else { return }
        defer { g_hash_table_unref(attributes) }
        guard let text = g_hash_table_lookup(attributes, nameKey) else { return }
        let name = String(cString: text.assumingMemoryBound(to: CChar.self))
        guard let value = secret_item_get_secret(item) else { return body(name, nil) }
        defer { secret_value_unref(UnsafeMutableRawPointer(value)) }
        var length: gsize = 0
        let bytes = secret_value_get(value, &length)
        body(name, UnsafeRawBufferPointer(start: bytes, count: Int(length)))
    }

    /// The attributes of an item, or of all.
    private func attributes(_ name: String?) -> OpaquePointer? {
        let table = g_hash_table_new_full(g_str_hash, g_str_equal, nil, g_free)
        g_hash_table_insert(table, UnsafeMutableRawPointer(mutating: Self.serviceKey), g_strdup(Self.owner))
        if let name { g_hash_table_insert(table, UnsafeMutableRawPointer(mutating: Self.nameKey), g_strdup(name)) }
        return table
    }

    // MARK: errors

    /// What an error means; frees it.
    private static func trouble(_ error: UnsafeMutablePointer<GError>?) -> KeychainTrouble {
        guard let error else { return .other("no reason was given") }
        defer { g_error_free(error) }
        let (domain, code) = (error.pointee.domain, error.pointee.code)
        if domain == g_dbus_error_quark() { return bus(code) ?? text(error) }
        if domain == g_io_error_quark() { return io(code) ?? text(error) }
        if domain == secret_error_get_quark() {
            if code == Int32(SECRET_ERROR_IS_LOCKED.rawValue) { return .locked }
            if code == Int32(SECRET_ERROR_NO_SUCH_OBJECT.rawValue) { return .noCollection }
        }
        return text(error)
    }

    private static func bus(_ code: Int32) -> KeychainTrouble? {
        switch UInt32(code) {
        case G_DBUS_ERROR_SERVICE_UNKNOWN.rawValue, G_DBUS_ERROR_NAME_HAS_NO_OWNER.rawValue: .noOwner
        case G_DBUS_ERROR_NO_REPLY.rawValue, G_DBUS_ERROR_TIMEOUT.rawValue, G_DBUS_ERROR_TIMED_OUT.rawValue: .mute
        case G_DBUS_ERROR_UNKNOWN_OBJECT.rawValue, G_DBUS_ERROR_UNKNOWN_METHOD.rawValue: .noCollection
        case G_DBUS_ERROR_DISCONNECTED.rawValue: .noBus("the bus has ended")
        default: nil
        }
    }

    private static func io(_ code: Int32) -> KeychainTrouble? {
        switch UInt32(code) {
        case G_IO_ERROR_CANCELLED.rawValue, G_IO_ERROR_TIMED_OUT.rawValue: .mute
        case G_IO_ERROR_CLOSED.rawValue, G_IO_ERROR_BROKEN_PIPE.rawValue: .noBus("the bus has ended")
        default: nil
        }
    }

    private static func text(_ error: UnsafeMutablePointer<GError>) -> KeychainTrouble {
        .other(error.pointee.message.map { String(cString: $0) } ?? "no reason was given")
    }
}
