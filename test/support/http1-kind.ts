// Who speaks HTTP/1.1 in the tests: our own codec, or node:http and undici by LEASEWAY_HTTP1=node.

export type Http1Kind = 'native' | 'node';

export const HTTP1: Http1Kind = process.env.LEASEWAY_HTTP1 === 'node' ? 'node' : 'native';
