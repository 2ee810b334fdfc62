-- What prosodyctl needs to know to be a client of prosody-admin, for accounts that may not read
-- Prosody's own configuration:
--
--     PROSODY_CONFIG=/usr/share/prosody-admin/prosodyctl.cfg.lua prosodyctl shell
admin_socket = "/run/prosody-admin.sock"

-- Only so that prosodyctl does not complain of having no directory of certificates.
certificates = "."
