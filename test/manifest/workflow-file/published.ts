/** Workflow files of the form in which openSUSE has published them; other registry. */

const REPOSITORY = 'registry.example/yast/head/containers/containers_tumbleweed/opensuse';

/** An installer with a backend beside it. */
export const INSTALLER = `name: Agama
description: Workflow of an installer

jobs:
  agama:
    container:
      image: ${REPOSITORY}/agama-service
      volumes:
        - dbus_run:/run/agama
        - /var/run/dbus/system_bus_socket:/var/run/dbus/system_bus_socket
        - /etc/NetworkManager:/etc/NetworkManager
    services:
      backend:
        image: ${REPOSITORY}/agama-web
        volumes:
          - dbus_run:/run/agama
`;

/** Everything that the format has. */
export const CONTROL = `name: Test installation control YAML

jobs:
  dinstaller:
    container:
      image: ${REPOSITORY}/dinstaller-web
      volumes:
        - dbus_run:/var/run/dbus
      env:
        TEST: test_env
    services:
      backend:
        image: ${REPOSITORY}/dinstaller-backend
        env:
          SERVICE: test_service_env
  busybox:
    container:
      image: registry.example/opensuse/busybox:latest
    needs:
      - dinstaller
    continue_on_error: true
    steps:
      - run: /bin/bash
env:
  GLOBAL: test_global_env
`;
