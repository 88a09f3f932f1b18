"""TLS in front of a server that has none, as Heroku's Redis has it: self-signed."""

import socket
import ssl
from pathlib import Path
from threading import Thread

import trustme


class TLSProxy:
    """Takes TLS connections on a free port and passes them on to another one."""

    def __init__(self, folder: Path, port: int) -> None:
        self.authority = authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self._context)
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = Thread(target=self._accept)
        self._thread.start()

    def demand_certificates(self) -> None:
        """From now on, let only clients in that have a certificate of this authority."""
        self._context.verify_mode = ssl.CERT_REQUIRED
        self.authority.configure_trust(self._context)

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            Thread(target=self._serve, args=[plain], daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        """Pass data on in both directions until one side ends."""
        try:
            with (
                self._context.wrap_socket(plain, server_side=True) as client,
                socket.create_connection(self._target) as server,
            ):
                back = Thread(target=pass_on, args=[server, client], daemon=True)
                back.start()
                pass_on(client, server)
                back.join()
        except OSError:  # the client did not like the certificate
            plain.close()


def pass_on(source: socket.socket, target: socket.socket) -> None:
    """Copy until the source ends or either fails, then end the target."""
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
