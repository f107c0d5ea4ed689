// Everything is kept at the first visit and served from there; a new export has another VERSION and replaces it.
self.addEventListener('install', event => {
  event.waitUntil(caches.open(VERSION).then(cache => cache.addAll(FILES)).then(() => self.skipWaiting()));
});
self.addEventListener('activate', event => {
  event.waitUntil(caches.keys()
      .then(names => Promise.all(names.filter(name => name !== VERSION).map(name => caches.delete(name))))
      .then(() => self.clients.claim()));
});
self.addEventListener('message', event => {
  const own = event.data.filter(address => address.startsWith(self.registration.scope));
  event.waitUntil(caches.open(VERSION).then(async cache => {
    for (const address of own) if (!await cache.match(address)) await cache.add(address);
  }));
});
self.addEventListener('fetch', event => {
  if (event.request.method !== 'GET') return;
  event.respondWith(caches.match(event.request, {ignoreSearch: true}).then(kept => kept || fetch(event.request)));
});
