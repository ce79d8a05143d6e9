#!/bin/bash
# Builds the contestants of the IPC benchmark into a scratch folder: build.sh FOLDER [raw-c|malloc-count|grpc-cpp|grpc-python|grpc-swift ...]
# Nothing is installed in the system, nothing of the product depends on it. What cannot be built leaves FOLDER/NAME.failed with the
# reason and the others go on; the exit code is 1 only when the two C programs fail, without which nothing can be compared.
set -u
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mkdir -p "${1:?usage: build.sh FOLDER [NAME...]}" && cd "$1" && pwd)
shift
names=("$@")
((${#names[@]})) || names=(raw-c malloc-count grpc-cpp grpc-python grpc-swift)

raw-c() { cc -O2 -Wall -Wextra -o "$folder/raw" "$here/raw-c/raw.c"; }

malloc-count() {
	cc -O2 -Wall -Wextra -shared -fPIC -o "$folder/malloc-count.so" "$here/malloc-count/malloc_count.c" -ldl -pthread &&
		cc -O0 -fno-builtin -Wall -Wextra -o "$folder/malloc-known" "$here/malloc-count/known.c" -pthread
}

# Debian's packages, unpacked beside the program instead of installed.
grpc-cpp() {
	local root=$folder/grpc-cpp-root lib=$folder/grpc-cpp-root/usr/lib/x86_64-linux-gnu
	if [ ! -e "$lib/libgrpc++.so" ]; then
		mkdir -p "$folder/deb" "$root" && cd "$folder/deb" &&
			apt-get download -q libgrpc++-dev libgrpc-dev libgrpc++1.51 libgrpc29 libprotobuf-dev libprotobuf32 libprotoc32 libabsl-dev \
				libabsl20220623 libc-ares2 libc-ares-dev libre2-9 libre2-dev libupb-dev || return
		for package in *.deb; do dpkg -x "$package" "$root" || return; done
	fi
	g++ -std=c++17 -O2 -Wall "-I$root/usr/include" "$here/grpc-cpp/peer.cc" -o "$folder/grpc-cpp" "-L$lib" -pthread \
		"-Wl,--disable-new-dtags,-rpath,$lib" "-Wl,-rpath-link,$lib" -Wl,--copy-dt-needed-entries -lgrpc++ -lgrpc -lgpr
}

grpc-python() {
	[ -x "$folder/venv/bin/python" ] || python3 -m venv "$folder/venv" || return
	"$folder/venv/bin/python" -c 'import grpc' 2>/dev/null || "$folder/venv/bin/pip" install -q --disable-pip-version-check 'grpcio==1.85.1'
}

grpc-swift() {
	nice -n 10 swift build -c release --package-path "$here/grpc-swift" --scratch-path "$folder/grpc-swift-build" &&
		ln -sf grpc-swift-build/release/grpc-swift-peer "$folder/grpc-swift"
}

status=0
for name in "${names[@]}"; do
	began=$SECONDS
	if (set -e; "$name") >"$folder/$name.log" 2>&1; then
		rm -f "$folder/$name.failed"
		echo "peers: $name is built ($((SECONDS - began)) s)"
	else
		grep -m1 -iE 'error|E:|unable|cannot' "$folder/$name.log" >"$folder/$name.failed" || tail -1 "$folder/$name.log" >"$folder/$name.failed"
		echo "peers: $name is NOT built: $(cat "$folder/$name.failed") (all of it in $folder/$name.log)" >&2
		case $name in raw-c | malloc-count) status=1 ;; esac
	fi
done
exit $status
