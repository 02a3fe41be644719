// Who speaks HTTP/1.1 in the tests: LEASEWAY_HTTP1=native runs any of them on our own codec.

export type Http1Kind = 'native' | 'node';

export const HTTP1: Http1Kind = process.env.LEASEWAY_HTTP1 === 'native' ? 'native' : 'node';
