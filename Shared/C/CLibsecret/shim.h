// libsecret, and what of it Swift cannot call: variadic functions.
#pragma once
#include <gio/gio.h>
#include <libsecret/secret.h>

/// libsecret's own constructor insists on the session bus of the process; this one comes after it.
static GObject *bulkhead_construct(GType type, guint count, GObjectConstructParam *properties) {
    GObjectClass *parent = (GObjectClass *)g_type_class_peek(SECRET_TYPE_SERVICE);
    GObject *object = parent->constructor(type, count, properties);
    g_object_set(
        object, "g-bus-type", G_BUS_TYPE_NONE, "g-flags",
        G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START | G_DBUS_PROXY_FLAGS_DO_NOT_LOAD_PROPERTIES | G_DBUS_PROXY_FLAGS_DO_NOT_CONNECT_SIGNALS,
        NULL);
    return object;
}

static void bulkhead_class_init(gpointer class, gpointer data) {
    (void)data;
    ((GObjectClass *)class)->constructor = bulkhead_construct;
}

/// The Secret Service on a connection of our own, and never one that the bus would have to start first. One thread only.
static inline SecretService *bulkhead_secret_service(GDBusConnection *connection, GCancellable *cancellable, GError **error) {
    GType type = g_type_from_name("BulkheadSecretService");
    if (type == 0)
        type = g_type_register_static_simple(
            SECRET_TYPE_SERVICE, "BulkheadSecretService", sizeof(SecretServiceClass), bulkhead_class_init, sizeof(SecretService), NULL,
            (GTypeFlags)0);
    return (SecretService *)g_initable_new(type, cancellable, error, "g-connection", connection, "flags", SECRET_SERVICE_NONE, NULL);
}

/// A string, as arguments of a D-Bus call.
static inline GVariant *bulkhead_one_string(const char *text) { return g_variant_new("(s)", text); }

/// Two strings, as arguments of a D-Bus call.
static inline GVariant *bulkhead_two_strings(const char *first, const char *second) {
    return g_variant_new("(ss)", first, second);
}

static inline void bulkhead_no_log(const char *domain, GLogLevelFlags level, const char *message, void *data) {
    (void)domain, (void)level, (void)message, (void)data;
}

/// What goes wrong comes back as an error; lines of GLib's own would stand between those of the log.
static inline void bulkhead_silence_glib(void) { g_log_set_default_handler(bulkhead_no_log, NULL); }
